/* SPDX-License-Identifier: MIT */
/* Counters as a kernel prints them in /proc/net. PURE. */
#ifndef WORLD_PROCNET_H
#define WORLD_PROCNET_H

/*
 * procnet_field - of snmp or netstat (as @text): a line of names, then one of
 * numbers, both after @group ("IpExt:"). NAN when there is none.
 */
double procnet_field(const char *text, const char *group, const char *name);
/* procnet_line - of snmp6: a name and a number a line. NAN likewise. */
double procnet_line(const char *text, const char *name);

#endif
