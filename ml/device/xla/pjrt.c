//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

#include "pjrt.h"

#include <dlfcn.h>

#include "_cgo_export.h"

const pjrtTable *pjrtApi(const char *path) {
  void *lib = dlopen(path, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
  if (!lib) return NULL;
  const pjrtTable *(*get)(void) = (const pjrtTable *(*)(void))dlsym(lib, "GetPjrtApi");
  const pjrtTable *t = get ? get() : NULL;
  dlclose(lib); // whoever loaded it keeps it
  return t;
}

// The functions of the C API have no argument for a context, so each table
// needs functions of its own.
#define SLOT(n)                                                         \
  static void *create##n(void *args) { return sprintCreate(n, args); }  \
  static void *compile##n(void *args) { return sprintCompile(n, args); }
SLOT(0)
SLOT(1)
SLOT(2)
SLOT(3)
SLOT(4)
SLOT(5)
SLOT(6)
SLOT(7)

static const pjrtFunction create[] = {create0, create1, create2, create3, create4, create5, create6, create7};
static const pjrtFunction compile[] = {compile0, compile1, compile2, compile3, compile4, compile5, compile6, compile7};

// A plugin is initialised once, by whoever loaded it.
static void *initialized(void *args) {
  (void)args;
  return NULL;
}

pjrtTable *pjrtInterpose(const pjrtTable *original, int slot) {
  if (slot < 0 || (size_t)slot >= sizeof(create) / sizeof(*create)) return NULL;
  pjrtTable *t = malloc(original->size);
  if (!t) return NULL;
  memcpy(t, original, original->size);
  t->function[pjrtPluginInitialize] = initialized;
  t->function[pjrtClientCreate] = create[slot];
  t->function[pjrtClientCompile] = compile[slot];
  return t;
}
