/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_JOOL_VM_H
#define ENGINE_JOOL_VM_H

/* jool_vm_main - `xlatsim jool-vm`; returns only on failure. */
int jool_vm_main(int argc, char **argv);

#endif
