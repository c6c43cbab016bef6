/*
 * random.h: the numbers that stand in for inputs. Counter-based, with integers and exactly rounded operations
 * only, so that the same seed and name give the same values on every machine.
 */
#pragma once

#include <stdint.h>

/* A stream of one feature: splitmix64 over a counter. */
struct random_stream {
    uint64_t state;
};

/* random_begin: the stream of `name` under `seed`: the name goes in by 64-bit FNV-1a. */
struct random_stream random_begin(uint64_t seed, const char *name);

/* random_next: the next 64 bits. */
uint64_t random_next(struct random_stream *stream);

/* random_below: uniform in 0 … n-1, for n up to 2^32, by multiplication; the bias is below 2^-31. */
uint32_t random_below(struct random_stream *stream, uint32_t n);

/* random_normal: mean 0, deviation 1: the inverse of the distribution function, Wichura's AS 241 (PPND7,
 * 1988). */
double random_normal(struct random_stream *stream);
