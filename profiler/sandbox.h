/*
 * sandbox.h: confines a thread that reads a stranger's file, and all threads that it starts: from then on
 * they open files for reading only, make, rename or delete none, start no program or process, and reach no
 * network. A refused call fails with EPERM.
 */
#pragma once

#include <stdbool.h>

/* sandbox_enter: confines the calling thread until it ends. False, with errno, where the system has no
 * seccomp(2). */
bool sandbox_enter(void);
