// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instruction fetch through the guest's own page tables (APM 2, 5): for CPUs
 * that do not report the bytes of a trapped instruction.  The tables are
 * untrusted; whatever they say, only RAM of the cell is looked at.
 */
#include <core/cell.h>
#include <core/paging.h>
#include <lib/string.h>
#include <arch/registers.h>
#include <arch/vcpu.h>

/* Slots of cell_peek(): the tables by level, then the code */
#define CODE_SLOT		PG_MAX_LEVELS

#define GUEST_PTE_PRESENT	(1ULL << 0)
#define GUEST_PTE_HUGE		(1ULL << 7)
#define GUEST_PTE_ADDRESS	0x000ffffffffff000ULL

/* How a paging mode splits addresses, root level first. */
struct guest_paging {
	unsigned int levels;
	unsigned int entry_size;	/* 4 or 8 */
	u64 root_mask;			/* of CR3 */
	struct {
		unsigned int shift, bits;
		bool huge;		/* PS is a page, not reserved */
	} level[5];
};

static const struct guest_paging legacy_paging = {
	2, 4, 0xfffff000, { { 22, 10, true }, { 12, 10, false } }
};
static const struct guest_paging pae_paging = {
	3, 8, 0xffffffe0, { { 30, 2, false }, { 21, 9, true }, { 12, 9, false } }
};
static const struct guest_paging long_paging = {
	4, 8, GUEST_PTE_ADDRESS,
	{ { 39, 9, false }, { 30, 9, true }, { 21, 9, true }, { 12, 9, false } }
};
static const struct guest_paging long5_paging = {
	5, 8, GUEST_PTE_ADDRESS,
	{ { 48, 9, false }, { 39, 9, false }, { 30, 9, true }, { 21, 9, true }, { 12, 9, false } }
};

static const struct guest_paging *guest_paging_mode(const struct vcpu_state *state)
{
	if (!(state->cr0 & CR0_PG))
		return NULL;
	if (state->efer & EFER_LMA)
		return state->cr4 & CR4_LA57 ? &long5_paging : &long_paging;
	return state->cr4 & CR4_PAE ? &pae_paging : &legacy_paging;
}

/* Entries are aligned: none reaches into another page.  Only 64-bit mode's way is kept. */
static bool read_entry(const struct guest_paging *mode, unsigned int level, u64 address,
		       u64 *entry, struct fetch_path *path)
{
	const void *p = cell_peek(level, gpa(address));

	if (!p)
		return false;
	*entry = mode->entry_size == 8 ? *(const volatile u64 *)p : *(const volatile u32 *)p;
	if (mode == &long_paging) {
		path->entry[level] = p;
		path->value[level] = *entry;
		path->entries = level + 1;
	}
	return *entry & GUEST_PTE_PRESENT;
}

/* 4 MiB pages have address bits 32 to 39 in bits 13 to 20 (PSE-36). */
static u64 huge_page_address(const struct guest_paging *mode, u64 entry, unsigned int shift)
{
	u64 address = entry & GUEST_PTE_ADDRESS & ~((1ULL << shift) - 1);

	if (mode->entry_size == 4)
		address |= (entry & 0x1fe000) << 19;
	return address;
}

/* PS counts where the level allows it; in 32-bit paging only with CR4.PSE. */
static bool is_huge(const struct vcpu_state *state, const struct guest_paging *mode,
		    unsigned int level, u64 entry)
{
	if (!mode->level[level].huge || !(entry & GUEST_PTE_HUGE))
		return false;
	return mode != &legacy_paging || (state->cr4 & CR4_PSE);
}

static bool guest_translate(const struct vcpu_state *state, const struct guest_paging *mode,
			    u64 linear, u64 *phys, struct fetch_path *path)
{
	unsigned int n, shift = 0;
	u64 table, index, entry = 0;

	*phys = linear;
	if (!mode)
		return true;
	table = state->cr3 & mode->root_mask;
	for (n = 0; n < mode->levels; n++) {
		shift = mode->level[n].shift;
		index = linear >> shift & ((1U << mode->level[n].bits) - 1);
		if (!read_entry(mode, n, table + index * mode->entry_size, &entry, path))
			return false;
		if (n == mode->levels - 1 || is_huge(state, mode, n, entry))
			break;
		table = entry & GUEST_PTE_ADDRESS;
	}
	if (n < mode->levels - 1)
		*phys = huge_page_address(mode, entry, shift);
	else
		*phys = entry & GUEST_PTE_ADDRESS;
	*phys |= linear & ((1ULL << shift) - 1);
	return true;
}

/* Outside 64-bit mode linear addresses have 32 bits. */
static u64 linear_rip(const struct vcpu_state *state)
{
	if (vcpu_insn_mode(state) == INSN_64)
		return state->rip;
	return (u32)(state->cs_base + state->rip);
}

/* Equal entries lead to the same place, so the walk can be skipped. */
static bool fetch_again(const struct fetch_path *path, const struct vcpu_state *state,
			u64 linear, u8 *bytes)
{
	if (path->entries == 0 || path->cr3 != state->cr3 ||
	    path->page != (linear & PAGE_MASK) ||
	    (linear & PAGE_OFFS_MASK) > PAGE_SIZE - INSN_MAX_LENGTH ||
	    path->tables != this_cpu()->cell->stage2.root ||
	    path->generation != page_tables_now())
		return false;
	for (unsigned int n = 0; n < path->entries; n++)
		if (*path->entry[n] != path->value[n])
			return false;
	__builtin_memcpy(bytes, path->code + (linear & PAGE_OFFS_MASK), INSN_MAX_LENGTH);
	return true;
}

/* All of the instruction was in one page, so that no window shows another by now. */
static void path_keep(struct fetch_path *path, const struct vcpu_state *state, u64 linear,
		      const u8 *code)
{
	path->cr3 = state->cr3;
	path->page = linear & PAGE_MASK;
	path->tables = this_cpu()->cell->stage2.root;
	path->generation = page_tables_now();
	path->code = code - (linear & PAGE_OFFS_MASK);
}

unsigned int vcpu_fetch(const struct vcpu_state *state, u8 bytes[INSN_MAX_LENGTH])
{
	const struct guest_paging *mode = guest_paging_mode(state);
	struct fetch_path *path = &this_cpu()->arch.fetch_path;
	u64 linear = linear_rip(state), phys;
	unsigned int done, chunk;
	const void *p;

	done = vcpu_fetched_bytes(bytes);
	if (done == 0 && mode == &long_paging && fetch_again(path, state, linear, bytes))
		return INSN_MAX_LENGTH;
	path->entries = 0;
	while (done < INSN_MAX_LENGTH) {
		if (!guest_translate(state, mode, linear + done, &phys, path))
			break;
		p = cell_peek(CODE_SLOT, gpa(phys));
		if (!p)
			break;
		chunk = MIN(INSN_MAX_LENGTH - done,
			    PAGE_SIZE - (phys & PAGE_OFFS_MASK));
		if (chunk == INSN_MAX_LENGTH) {
			/* Of known size: two moves */
			__builtin_memcpy(bytes, p, INSN_MAX_LENGTH);
			path_keep(path, state, linear, p);
			return INSN_MAX_LENGTH;
		}
		memcpy(bytes + done, p, chunk);
		done += chunk;
	}
	path->entries = 0;
	return done;
}
