/* turn.h: how soon the screen's thread gets a turn beside threads that compute without end. */
#pragma once

/*
 * mls_turn_soon: asks for short turns of the calling thread and of those that it starts afterwards: the scheduler
 * then lets whoever wakes up take turns with them sooner; their share stays the same. Does nothing where the kernel
 * does not know this.
 */
void mls_turn_soon(void);
