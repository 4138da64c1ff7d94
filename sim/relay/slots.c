/* SPDX-License-Identifier: MIT */
#include "slots.h"

void slots_reset(struct slots *s)
{
	hist_reset(&s->late);
	s->slot = 0;
	s->max_ns = -1;
}

void slots_add(struct slots *s, int64_t now_ns, int64_t late_ns)
{
	int64_t slot = now_ns / SLOT_NS;

	if (slot != s->slot && s->max_ns >= 0)
		hist_add(&s->late, s->max_ns);
	if (slot != s->slot)
		s->max_ns = -1;
	s->slot = slot;
	late_ns = late_ns > 0 ? late_ns : 0;
	if (late_ns > s->max_ns)
		s->max_ns = late_ns;
}

uint64_t slots_quantile(const struct slots *s, double q)
{
	struct hist all = s->late;

	if (s->max_ns >= 0)
		hist_add(&all, s->max_ns);
	return hist_quantile(&all, q);
}
