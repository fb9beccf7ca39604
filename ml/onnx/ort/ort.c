//go:build cgo && linux && (amd64 || arm64)

#include "ort.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef void *(*function)();

typedef struct {
  const function *(*getApi)(uint32_t version);
  const char *(*version)(void);
} apiBase;

// Places in the table of functions.
enum {
  errorMessage = 2,
  createEnv = 3,
  createSessionFromArray = 8,
  run = 9,
  createSessionOptions = 10,
  setGraphOptimizationLevel = 23,
  setIntraOpNumThreads = 24,
  setInterOpNumThreads = 25,
  createTensorWithData = 49,
  getTensorMutableData = 51,
  getTensorElementType = 60,
  getTensorShapeElementCount = 64,
  getTensorTypeAndShape = 65,
  createCpuMemoryInfo = 69,
  releaseStatus = 93,
  releaseMemoryInfo = 94,
  releaseSession = 95,
  releaseValue = 96,
  releaseTensorTypeAndShape = 99,
  releaseSessionOptions = 100,
  addSessionConfigEntry = 130,
};

// Values of the C API's enums.
enum { logFatal = 4, optimizeAll = 99, deviceAllocator = 0, memoryDefault = 0, elementFloat = 1, elementInt64 = 7 };

struct ortRuntime {
  const function *api;
  const char *version;
  void *env;
  void *memory;
};

struct ortSession {
  ortRuntime *runtime;
  void *session;
};

// failed takes over a status: 0 is none.
static int failed(const function *api, void *status, char **error) {
  if (!status) return 0;
  const char *text = ((const char *(*)(const void *))api[errorMessage])(status);
  *error = strdup(text ? text : "no reason is given");
  ((void (*)(void *))api[releaseStatus])(status);
  return 1;
}

ortRuntime *ortOpen(const char *path, char **error) {
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    *error = strdup(dlerror());
    return NULL;
  }
  const apiBase *(*base)(void) = (const apiBase *(*)(void))dlsym(lib, "OrtGetApiBase");
  const function *api = base ? base()->getApi(ortVersion) : NULL;
  if (!api) {
    *error = strdup(base ? "it is older than 1.16" : "it does not export OrtGetApiBase");
    dlclose(lib);
    return NULL;
  }
  ortRuntime *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->api = api;
  r->version = base()->version();
  // The environment and the library live as long as the process: threads of it may still run.
  if (failed(api, ((void *(*)(int, const char *, void **))api[createEnv])(logFatal, "sprint", &r->env), error) ||
      failed(api, ((void *(*)(int, int, void **))api[createCpuMemoryInfo])(deviceAllocator, memoryDefault, &r->memory), error)) {
    free(r);
    return NULL;
  }
  return r;
}

const char *ortVersionOf(const ortRuntime *r) { return r->version; }

ortSession *ortLoad(ortRuntime *r, const void *model, size_t size, int threads, char **error) {
  const function *api = r->api;
  void *options = NULL;
  if (failed(api, ((void *(*)(void **))api[createSessionOptions])(&options), error)) return NULL;
  ortSession *s = calloc(1, sizeof *s);
  // Threads that spin between batches take the processor from everybody else.
  if (s && (failed(api, ((void *(*)(void *, int))api[setGraphOptimizationLevel])(options, optimizeAll), error) ||
            failed(api, ((void *(*)(void *, int))api[setIntraOpNumThreads])(options, threads), error) ||
            failed(api, ((void *(*)(void *, int))api[setInterOpNumThreads])(options, 1), error) ||
            failed(api, ((void *(*)(void *, const char *, const char *))api[addSessionConfigEntry])(options, "session.force_spinning_stop", "1"), error) ||
            failed(api, ((void *(*)(void *, const void *, size_t, const void *, void **))api[createSessionFromArray])(r->env, model, size, options, &s->session), error))) {
    free(s);
    s = NULL;
  }
  ((void (*)(void *))api[releaseSessionOptions])(options);
  if (s) s->runtime = r;
  return s;
}

// copyOutput copies a tensor of so many bytes.
static int copyOutput(const function *api, void *value, size_t size, char *to, char **error) {
  void *info = NULL, *data = NULL;
  size_t count = 0;
  int type = 0;
  if (failed(api, ((void *(*)(void *, void **))api[getTensorTypeAndShape])(value, &info), error)) return 1;
  int bad = failed(api, ((void *(*)(void *, size_t *))api[getTensorShapeElementCount])(info, &count), error) ||
            failed(api, ((void *(*)(void *, int *))api[getTensorElementType])(info, &type), error) ||
            failed(api, ((void *(*)(void *, void **))api[getTensorMutableData])(value, &data), error);
  ((void (*)(void *))api[releaseTensorTypeAndShape])(info);
  if (bad) return 1;
  if (count * (type == elementInt64 ? 8 : 4) != size) {
    *error = strdup("an output has another size than the model's");
    return 1;
  }
  memcpy(to, data, size);
  return 0;
}

int ortRun(ortSession *s, int inputs, const char *const *inputNames, const int64_t *in, int64_t rows, int64_t length,
           int outputs, const char *const *outputNames, const size_t *sizes, char *to, char **error) {
  const function *api = s->runtime->api;
  void *values[4] = {0}, *results[4] = {0};
  if (inputs > 4 || outputs > 4) {
    *error = strdup("more than 4 inputs or outputs");
    return 1;
  }
  const int64_t shape[2] = {rows, length};
  int bad = 0;
  for (int i = 0; i < inputs && !bad; i++) {
    // Inputs are read alone; the C API has one type for both.
    bad = failed(api, ((void *(*)(const void *, void *, size_t, const int64_t *, size_t, int, void **))api[createTensorWithData])(
                          s->runtime->memory, (void *)(in + i * rows * length), (size_t)(rows * length) * 8, shape, 2, elementInt64, &values[i]), error);
  }
  bad = bad || failed(api, ((void *(*)(void *, const void *, const char *const *, const void *const *, size_t, const char *const *, size_t, void **))api[run])(
                               s->session, NULL, inputNames, (const void *const *)values, (size_t)inputs, outputNames, (size_t)outputs, results), error);
  for (int i = 0; i < outputs && !bad; i++) {
    bad = copyOutput(api, results[i], sizes[i], to, error);
    to += sizes[i];
  }
  for (int i = 0; i < 4; i++) {
    if (values[i]) ((void (*)(void *))api[releaseValue])(values[i]);
    if (results[i]) ((void (*)(void *))api[releaseValue])(results[i]);
  }
  return bad;
}

void ortClose(ortSession *s) {
  ((void (*)(void *))s->runtime->api[releaseSession])(s->session);
  free(s);
}
