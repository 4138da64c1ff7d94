/* SPDX-License-Identifier: MIT */
/* The engines that can be judged. */
#include <string.h>

#include "bench.h"

static const struct player *const players[] = {&xlatd_player, &tayga_player,
					       &jool_player};
static const char *const names[] = {"xlatd", "tayga", "jool", NULL};

#define N_PLAYERS (sizeof(players) / sizeof(*players))

const struct player *player_find(const char *name)
{
	for (size_t i = 0; i < N_PLAYERS; i++)
		if (!strcmp(players[i]->name, name))
			return players[i];
	return NULL;
}

const char *const *player_names(void)
{
	return names;
}
