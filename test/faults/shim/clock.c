/*
 * clock.c: a wall clock that can be set while a process runs. LD_PRELOADed; the monotonic clocks stay as they are.
 * GATEHOUSE_FAULTS_CLOCK=<file>: eight bytes, the offset in milliseconds, mapped and obeyed at once; shim.ts writes it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset;

__attribute__((constructor)) static void begin(void) {
  const char *by = getenv("GATEHOUSE_FAULTS_CLOCK");
  int fd = by ? open(by, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *at = mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) offset = at;
  close(fd);
}

/* @param unit of the fraction, in nanoseconds */
static void shift(time_t *seconds, long *fraction, long unit) {
  if (!offset) return;
  int64_t per_second = 1000000000 / unit, all = *fraction + *offset % 1000 * (1000000 / unit);
  *seconds += *offset / 1000;
  if (all < 0) { all += per_second; *seconds -= 1; }
  if (all >= per_second) { all -= per_second; *seconds += 1; }
  *fraction = all;
}

int clock_gettime(clockid_t clock, struct timespec *t) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, t);
  if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) shift(&t->tv_sec, &t->tv_nsec, 1);
  return result;
}
int gettimeofday(struct timeval *restrict t, void *restrict zone) {
  static int (*real)(struct timeval *, void *);
  if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
  int result = real(t, zone);
  if (!result) shift(&t->tv_sec, &t->tv_usec, 1000);
  return result;
}
time_t time(time_t *to) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  if (to) *to = t.tv_sec;
  return t.tv_sec;
}
