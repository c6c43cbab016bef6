/* waiting.h: what other programs cost a measurement: the time for which this process's threads were ready to work and got no
 * processor. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * mls_waiting_read: the time that the threads which live now have waited for a processor since they began, all together, as
 * the kernel counts it in /proc (schedstat). False where it does not. Takes some 10 microseconds a thread.
 */
bool mls_waiting_read(uint64_t *ret_ns);
