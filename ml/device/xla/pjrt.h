// The part of the PJRT C API (openxla/xla, xla/pjrt/c/pjrt_c_api.h, major
// version 0) that this package calls by itself. Everything lies where that
// header puts it; within a major version fields are only added at the ends.

#ifndef SPRINT_PJRT_H
#define SPRINT_PJRT_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Functions take a struct of their arguments and return an error or NULL.
typedef void *(*pjrtFunction)(void *args);

// Places in the table of functions.
enum {
  pjrtErrorDestroy = 0,
  pjrtErrorMessage = 1,
  pjrtPluginInitialize = 3,
  pjrtClientCreate = 10,
  pjrtClientPlatformVersion = 14,
  pjrtClientAddressableDevices = 16,
  pjrtClientCompile = 20,
  pjrtDeviceDescriptionKind = 26,
  pjrtDeviceGetDescription = 29,
  pjrtExecutableDestroy = 40,
  pjrtExecutableSerialize = 49,
  pjrtLoadedExecutableGetExecutable = 51,
  pjrtExecutableDeserializeAndLoad = 56,
  pjrtFunctions,
};

typedef struct {
  size_t size;
  void *extensions;
  struct {
    size_t size;
    void *extensions;
    int major, minor;
  } version;
  pjrtFunction function[pjrtFunctions]; // and more, up to size
} pjrtTable;

// Arguments; the fields after extensions are those of the header.
typedef struct { size_t size; void *extensions; const void *error; } errorDestroyArgs;
typedef struct { size_t size; void *extensions; const void *error; const char *message; size_t length; } errorMessageArgs;
// Of PJRT_Client_Create_Args only what is before and at the client.
typedef struct { size_t size; void *extensions; const void *options; size_t count; void *get, *getArg, *put, *putArg; void *client; } clientCreateArgs;
typedef struct { size_t size; void *extensions; void *client; const char *version; size_t length; } platformVersionArgs;
typedef struct { size_t size; void *extensions; void *client; void *const *devices; size_t count; } addressableDevicesArgs;
typedef struct { size_t size; void *extensions; void *device; void *description; } getDescriptionArgs;
typedef struct { size_t size; void *extensions; void *description; const char *kind; size_t length; } kindArgs;
typedef struct { size_t size; void *extensions; char *code; size_t codeSize; const char *format; size_t formatSize; } pjrtProgram;
typedef struct { size_t size; void *extensions; void *client; const pjrtProgram *program; const char *options; size_t optionsSize; void *executable; } compileArgs;
typedef struct { size_t size; void *extensions; void *loaded; void *executable; } getExecutableArgs;
typedef struct { size_t size; void *extensions; void *executable; } executableDestroyArgs;
typedef struct { size_t size; void *extensions; const void *executable; const char *bytes; size_t length; void *backing; void (*deleter)(void *backing); } serializeArgs;
typedef struct { size_t size; void *extensions; void *client; const char *bytes; size_t length; void *loaded; const char *options; size_t optionsSize; } deserializeArgs;

static inline void *pjrtCall(const pjrtTable *t, int function, void *args) { return t->function[function](args); }

// pjrtCreate makes a client whose threads handle no signals. oneDNN's matrix products let the
// stack pointer point into the heap, so a signal that comes to such a thread while it works,
// as a CPU profile's do, writes its frame over whatever lies there.
static inline void *pjrtCreate(const pjrtTable *t, void *args) {
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (int *s = (int[]){SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, 0}; *s; s++) sigdelset(&blocked, *s); // a fault's own
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  void *error = pjrtCall(t, pjrtClientCreate, args); // threads inherit what is blocked
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

static inline void pjrtFreeSerialized(serializeArgs *a) { if (a->deleter) a->deleter(a->backing); }

// pjrtApi finds the table of a plugin that is already loaded; NULL if it is not.
const pjrtTable *pjrtApi(const char *path);

// pjrtInterpose copies a table, with the functions that make clients and compile
// programs replaced by ones that call the exported Go functions with the slot.
pjrtTable *pjrtInterpose(const pjrtTable *original, int slot);

#endif
