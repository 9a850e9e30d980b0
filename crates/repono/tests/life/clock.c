/* The wall clock of one process, ahead of the machine's by as many seconds as the
   eight bytes of a file say. Loaded before libc; every other clock is left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *ahead;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void start(void) {
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int file = open(getenv("WALL_CLOCK_AHEAD"), O_RDONLY);
    if (file < 0) abort();
    void *map = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) abort();
    close(file);
    ahead = map;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (!real) start();
    int failed = real(clock, at);
    if (!failed && clock == CLOCK_REALTIME) at->tv_sec += *ahead;
    return failed;
}
