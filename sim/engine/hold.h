/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_HOLD_H
#define ENGINE_HOLD_H

/* hold_main - `xlatsim hold`; returns only on failure. */
int hold_main(int argc, char **argv);

#endif
