// The part of ONNX Runtime's C API (microsoft/onnxruntime,
// include/onnxruntime/core/session/onnxruntime_c_api.h) that this package calls. The table of
// functions only grows at its end: places are those of every version since the one named.

#ifndef SPRINT_ORT_H
#define SPRINT_ORT_H

#include <stddef.h>
#include <stdint.h>

enum { ortVersion = 16 }; // of the API: ONNX Runtime 1.16 and newer

typedef struct ortRuntime ortRuntime;
typedef struct ortSession ortSession;

// ortOpen loads a library. NULL is an error, whose text the caller frees.
ortRuntime *ortOpen(const char *path, char **error);

// ortVersionOf is the library's version, which lives as long as the process.
const char *ortVersionOf(const ortRuntime *r);

// ortLoad makes a session of a file's bytes, which it does not keep.
ortSession *ortLoad(ortRuntime *r, const void *model, size_t size, int threads, char **error);

// ortRun computes the outputs of one batch: inputs are int64 [rows,length] each, one behind
// the other. An output must have sizes[i] bytes, which are written to to, one behind the
// other.
int ortRun(ortSession *s, int inputs, const char *const *inputNames, const int64_t *in, int64_t rows, int64_t length,
           int outputs, const char *const *outputNames, const size_t *sizes, char *to, char **error);

void ortClose(ortSession *s);

#endif
