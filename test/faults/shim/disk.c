/*
 * disk.c: a disk that can be watched and can fail. LD_PRELOADed into one process tree; only paths below
 * GATEHOUSE_FAULTS_ROOT are concerned.
 *
 * GATEHOUSE_FAULTS_TRACE=<file>: every change of the disk is appended there, in the order in which it happened, so that
 * trace.ts can rebuild what a power cut at any point would have left. The file <root>/acks is special: what is written
 * to it becomes an acknowledgement in the same order.
 *
 * GATEHOUSE_FAULTS_CONTROL=<file>: struct control below, mapped and obeyed at once; disk.ts writes it.
 *
 * -shm is left out of the trace (shared memory; SQLite rebuilds it after a crash).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OP_WRITE = 1, OP_TRUNCATE, OP_SYNC_BEGIN, OP_SYNC_END, OP_CREATE, OP_RENAME, OP_UNLINK, OP_ACK, OP_MKDIR, OP_LINK };
/* What may fail; bits of control.mask. */
enum { AT_WRITE = 1, AT_SYNC = 2, AT_CREATE = 4, AT_ENTRY = 8 };

struct control {
  uint32_t error;      /* errno, 0: none */
  uint32_t mask;       /* where it strikes */
  uint32_t pass;       /* this many operations succeed first */
  uint32_t sync_delay; /* ms added to every flush */
  uint32_t struck;     /* written here: operations that failed */
  uint32_t syncs;      /* written here: flushes asked for */
  uint32_t limited;    /* the disk has only so much room: */
  uint32_t unused;
  int64_t room;        /* bytes by which files may still grow; kept up here */
  int64_t total;       /* bytes of the whole disk, for those who ask */
};

/* Before path and data of each step. Of a flush, offset joins its two ends and length tells a folder (1). */
struct head {
  uint32_t op, path_length;
  uint64_t file, offset, length;
};

static char root[PATH_MAX];
static size_t root_length;
static int trace = -1;
static volatile struct control *control;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static uint64_t tokens;
/* Values of the four variables, kept for children. */
static char *inherited[4];

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *where = getenv("GATEHOUSE_FAULTS_ROOT"), *to = getenv("GATEHOUSE_FAULTS_TRACE"),
             *by = getenv("GATEHOUSE_FAULTS_CONTROL");
  if (!where || !realpath(where, root)) return;
  root_length = strlen(root);
  const char *const found[] = {getenv("LD_PRELOAD"), where, to, by};
  for (int i = 0; i < 4; i++) inherited[i] = found[i] ? strdup(found[i]) : 0;
  if (to) trace = syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (by) {
    int fd = syscall(SYS_openat, AT_FDCWD, by, O_RDWR | O_CLOEXEC, 0);
    void *at = fd < 0 ? MAP_FAILED : mmap(0, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) control = at;
    if (fd >= 0) syscall(SYS_close, fd);
  }
}

/* The path below the root, or 0. */
static const char *below(const char *path) {
  if (!root_length || strncmp(path, root, root_length)) return 0;
  if (path[root_length] == 0) return "";
  return path[root_length] == '/' ? path + root_length + 1 : 0;
}
static const char *of_fd(int fd, char *buffer) {
  if (!root_length) return 0;
  char link[40];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, buffer, PATH_MAX - 1);
  if (n < 0) return 0;
  buffer[n] = 0;
  return below(buffer);
}
/* As of_fd, for a path that need not exist. */
static const char *of_path(const char *path, char *buffer) {
  if (!root_length || !path) return 0;
  char folder[PATH_MAX], real[PATH_MAX];
  if (strlen(path) >= PATH_MAX) return 0;
  strcpy(folder, path);
  char *slash = strrchr(folder, '/');
  const char *name = slash ? slash + 1 : folder;
  if (slash) *slash = 0;
  if (!realpath(slash ? (*folder ? folder : "/") : ".", real)) return 0;
  if (snprintf(buffer, PATH_MAX, "%s/%s", real, name) >= PATH_MAX) return 0;
  return below(buffer);
}
static int is_shm(const char *path) {
  size_t n = strlen(path);
  return n > 4 && !strcmp(path + n - 4, "-shm");
}
static uint64_t inode(int fd) {
  struct stat s;
  return fstat(fd, &s) ? 0 : s.st_ino;
}
static int is_folder(int fd) {
  struct stat s;
  return !fstat(fd, &s) && S_ISDIR(s.st_mode);
}

/* `order` is held. */
static void note(uint32_t op, const char *path, uint64_t file, uint64_t offset, const void *data, uint64_t length) {
  struct head head = {op, strlen(path), file, offset, length};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path_length}, {(void *)data, data ? length : 0}};
  syscall(SYS_writev, trace, parts, 3);
}

/* Nonzero: this operation fails, errno is set. */
static int strikes(const char *path, uint32_t where) {
  if (!path || !control || !control->error || !(control->mask & where)) return 0;
  uint32_t pass = control->pass;
  while (pass)
    if (__atomic_compare_exchange_n(&control->pass, &pass, pass - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return 0;
  __atomic_add_fetch(&control->struck, 1, __ATOMIC_SEQ_CST);
  errno = control->error;
  return 1;
}

/* Takes room for a file that grows, or gives it back. Nonzero: there is none, errno is set. */
static int no_room(const char *path, int64_t bytes) {
  if (!path || !control || !control->limited || !bytes) return 0;
  if (__atomic_sub_fetch(&control->room, bytes, __ATOMIC_SEQ_CST) >= 0 || bytes < 0) return 0;
  __atomic_add_fetch(&control->room, bytes, __ATOMIC_SEQ_CST);
  __atomic_add_fetch(&control->struck, 1, __ATOMIC_SEQ_CST);
  errno = ENOSPC;
  return 1;
}
static int64_t size_of(const char *path) {
  struct stat s;
  return control && control->limited && !stat(path, &s) ? s.st_size : 0;
}
static int64_t growth(int fd, const struct iovec *parts, int count, off_t at, int positioned) {
  struct stat s;
  if (!control || !control->limited || fstat(fd, &s)) return 0;
  if (!positioned) at = fcntl(fd, F_GETFL) & O_APPEND ? s.st_size : lseek(fd, 0, SEEK_CUR);
  for (int i = 0; i < count; i++) at += parts[i].iov_len;
  return at > s.st_size ? at - s.st_size : 0;
}

static ssize_t put(int fd, const struct iovec *parts, int count, off_t at, int positioned) {
  char buffer[PATH_MAX];
  const char *path = of_fd(fd, buffer);
  if (strikes(path, AT_WRITE) || (path && no_room(path, growth(fd, parts, count, at, positioned)))) return -1;
  if (!path || trace < 0 || is_shm(path))
    return positioned ? syscall(SYS_pwritev, fd, parts, count, at, 0) : syscall(SYS_writev, fd, parts, count);
  pthread_mutex_lock(&order);
  if (!positioned) {
    struct stat s;
    at = (fcntl(fd, F_GETFL) & O_APPEND) && !fstat(fd, &s) ? s.st_size : lseek(fd, 0, SEEK_CUR);
  }
  ssize_t written = positioned ? syscall(SYS_pwritev, fd, parts, count, at, 0) : syscall(SYS_writev, fd, parts, count);
  int kept = errno, acks = !strcmp(path, "acks");
  uint64_t file = inode(fd);
  ssize_t rest = written;
  for (int i = 0; i < count && rest > 0; i++) {
    size_t n = parts[i].iov_len < (size_t)rest ? parts[i].iov_len : (size_t)rest;
    note(acks ? OP_ACK : OP_WRITE, path, file, at, parts[i].iov_base, n);
    at += n;
    rest -= n;
  }
  pthread_mutex_unlock(&order);
  errno = kept;
  return written;
}
ssize_t write(int fd, const void *data, size_t n) {
  struct iovec part = {(void *)data, n};
  return put(fd, &part, 1, 0, 0);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  struct iovec part = {(void *)data, n};
  return put(fd, &part, 1, at, 1);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { return pwrite64(fd, data, n, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return put(fd, parts, count, 0, 0); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return put(fd, parts, count, at, 1); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return put(fd, parts, count, at, 1); }

int ftruncate64(int fd, off64_t length) {
  char buffer[PATH_MAX];
  const char *path = of_fd(fd, buffer);
  if (strikes(path, AT_WRITE)) return -1;
  struct stat before;
  if (path && !fstat(fd, &before) && before.st_size > length) no_room(path, length - before.st_size);
  if (!path || trace < 0 || is_shm(path)) return syscall(SYS_ftruncate, fd, length);
  pthread_mutex_lock(&order);
  int result = syscall(SYS_ftruncate, fd, length), kept = errno;
  if (!result) note(OP_TRUNCATE, path, inode(fd), length, 0, 0);
  pthread_mutex_unlock(&order);
  errno = kept;
  return result;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* Only what was written before a flush began is certain when it has returned, so both ends are noted. */
static int flush(int fd, long number) {
  char buffer[PATH_MAX];
  const char *path = of_fd(fd, buffer);
  if (path && control) {
    __atomic_add_fetch(&control->syncs, 1, __ATOMIC_SEQ_CST);
    uint32_t ms = control->sync_delay;
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000L};
    if (ms) nanosleep(&wait, 0);
  }
  if (strikes(path, AT_SYNC)) return -1;
  if (!path || trace < 0 || is_shm(path)) return syscall(number, fd);
  uint64_t token, file = inode(fd), folder = is_folder(fd);
  pthread_mutex_lock(&order);
  token = (uint64_t)getpid() << 30 | ++tokens; /* several processes may write one trace */
  note(OP_SYNC_BEGIN, path, file, token, 0, folder);
  pthread_mutex_unlock(&order);
  int result = syscall(number, fd), kept = errno;
  pthread_mutex_lock(&order);
  if (!result) note(OP_SYNC_END, path, file, token, 0, folder);
  pthread_mutex_unlock(&order);
  errno = kept;
  return result;
}
int fsync(int fd) { return flush(fd, SYS_fsync); }
int fdatasync(int fd) { return flush(fd, SYS_fdatasync); }

static int opened(int folder, const char *name, int flags, mode_t mode) {
  char buffer[PATH_MAX];
  const char *path = folder == AT_FDCWD || (name && *name == '/') ? of_path(name, buffer) : 0;
  struct stat before;
  int changes = path && (flags & (O_CREAT | O_TRUNC));
  int existed = changes && !stat(name, &before);
  /* A full disk still opens what exists; a read-only one opens nothing for writing. */
  int strict = control && control->error == EROFS;
  if (path && (flags & O_ACCMODE) != O_RDONLY && (strict || (changes && !existed)) && strikes(path, AT_CREATE)) return -1;
  if (existed && (flags & O_TRUNC)) no_room(path, -size_of(name));
  if (!changes || trace < 0 || is_shm(path)) return syscall(SYS_openat, folder, name, flags, mode);
  pthread_mutex_lock(&order);
  int fd = syscall(SYS_openat, folder, name, flags, mode), kept = errno;
  if (fd >= 0 && strcmp(path, "acks")) {
    if (!existed) note(OP_CREATE, path, inode(fd), 0, 0, 0);
    else if (flags & O_TRUNC) note(OP_TRUNCATE, path, inode(fd), 0, 0, 0);
  }
  pthread_mutex_unlock(&order);
  errno = kept;
  return fd;
}
#define MODE(flags, last) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, last); mode = va_arg(more, mode_t); va_end(more); }
int open(const char *name, int flags, ...) { MODE(flags, flags) return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags, flags) return opened(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int at, const char *name, int flags, ...) { MODE(flags, flags) return opened(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE(flags, flags) return opened(at, name, flags | O_LARGEFILE, mode); }

int rename(const char *from, const char *to) {
  char a[PATH_MAX], b[PATH_MAX];
  const char *old = of_path(from, a), *new = of_path(to, b);
  if (strikes(new, AT_ENTRY)) return -1;
  no_room(new, -size_of(to));
  if (!old || !new || trace < 0) return NEXT(rename)(from, to);
  pthread_mutex_lock(&order);
  int result = NEXT(rename)(from, to), kept = errno;
  if (!result) note(OP_RENAME, old, 0, 0, new, strlen(new));
  pthread_mutex_unlock(&order);
  errno = kept;
  return result;
}
static int removed(const char *name, const char *path, int (*real)(const char *)) {
  if (strikes(path, AT_ENTRY)) return -1;
  no_room(path, -size_of(name));
  if (!path || trace < 0 || is_shm(path)) return real(name);
  pthread_mutex_lock(&order);
  int result = real(name), kept = errno;
  if (!result) note(OP_UNLINK, path, 0, 0, 0, 0);
  pthread_mutex_unlock(&order);
  errno = kept;
  return result;
}
int unlink(const char *name) {
  char buffer[PATH_MAX];
  return removed(name, of_path(name, buffer), NEXT(unlink));
}
int link(const char *from, const char *to) {
  char a[PATH_MAX], b[PATH_MAX];
  const char *old = of_path(from, a), *new = of_path(to, b);
  if (strikes(new, AT_ENTRY)) return -1;
  if (!old || !new || trace < 0) return NEXT(link)(from, to);
  pthread_mutex_lock(&order);
  int result = NEXT(link)(from, to), kept = errno;
  if (!result) note(OP_LINK, old, 0, 0, new, strlen(new));
  pthread_mutex_unlock(&order);
  errno = kept;
  return result;
}
int mkdir(const char *name, mode_t mode) {
  char buffer[PATH_MAX];
  const char *path = of_path(name, buffer);
  if (strikes(path, AT_CREATE)) return -1;
  if (!path || trace < 0) return NEXT(mkdir)(name, mode);
  pthread_mutex_lock(&order);
  int result = NEXT(mkdir)(name, mode), kept = errno;
  if (!result) note(OP_MKDIR, path, 0, 0, 0, 0);
  pthread_mutex_unlock(&order);
  errno = kept;
  return result;
}

int statfs64(const char *name, struct statfs64 *found) {
  char buffer[PATH_MAX], real[PATH_MAX];
  int result = NEXT(statfs64)(name, found);
  if (result || !control || !control->limited || !realpath(name, real) || !(below(real) || of_path(name, buffer))) return result;
  int64_t room = control->room;
  found->f_bsize = found->f_frsize = 4096;
  found->f_blocks = control->total / 4096;
  found->f_bfree = found->f_bavail = (room > 0 ? room : 0) / 4096;
  return result;
}

/* A child that is given an environment of its own works on the same disk all the same. */
int execvp(const char *file, char *const arguments[]) {
  static const char *const names[] = {"LD_PRELOAD", "GATEHOUSE_FAULTS_ROOT", "GATEHOUSE_FAULTS_TRACE", "GATEHOUSE_FAULTS_CONTROL"};
  for (int i = 0; i < 4; i++)
    if (inherited[i]) setenv(names[i], inherited[i], 1);
  return NEXT(execvp)(file, arguments);
}
