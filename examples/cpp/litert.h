// The few functions of LiteRT's C interface that classify.cc calls, declared here because the pip wheel of ai-edge-litert
// has the library (libLiteRt.so) without its headers. With LiteRT's own headers at hand, include those instead.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

typedef struct LiteRtEnvironmentT* LiteRtEnvironment;
typedef struct LiteRtModelT* LiteRtModel;
typedef struct LiteRtOptionsT* LiteRtOptions;
typedef struct LiteRtCompiledModelT* LiteRtCompiledModel;
typedef struct LiteRtSubgraphT* LiteRtSubgraph;
typedef struct LiteRtTensorT* LiteRtTensor;
typedef struct LiteRtTensorBufferT* LiteRtTensorBuffer;
typedef int LiteRtStatus;  // 0 is good

struct LiteRtTensorType {
  int32_t element;  // 1 is float32, 3 uint8
  uint32_t rank;    // in the low 7 bits
  int32_t sides[8];
  uint32_t strides[8];
};
static_assert(sizeof(LiteRtTensorType) == 72, "LiteRT's own type has 72 bytes");

constexpr int kFloat32 = 1, kBytes = 3, kOnCpu = 1, kInHostMemory = 1, kToRead = 0, kToWrite = 1;

LiteRtStatus LiteRtCreateEnvironment(int options, const void* values, LiteRtEnvironment* environment);
LiteRtStatus LiteRtCreateModelFromFile(LiteRtEnvironment environment, const char* file, LiteRtModel* model);
LiteRtStatus LiteRtCreateOptions(LiteRtOptions* options);
LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions options, int accelerators);
LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment environment, LiteRtModel model, LiteRtOptions options,
                                       LiteRtCompiledModel* compiled);
LiteRtStatus LiteRtGetModelSubgraph(LiteRtModel model, size_t index, LiteRtSubgraph* subgraph);
LiteRtStatus LiteRtGetSubgraphInput(LiteRtSubgraph subgraph, size_t index, LiteRtTensor* tensor);
LiteRtStatus LiteRtGetSubgraphOutput(LiteRtSubgraph subgraph, size_t index, LiteRtTensor* tensor);
LiteRtStatus LiteRtGetRankedTensorType(LiteRtTensor tensor, LiteRtTensorType* type);
LiteRtStatus LiteRtCreateManagedTensorBuffer(LiteRtEnvironment environment, int kind, const LiteRtTensorType* type,
                                             size_t bytes, LiteRtTensorBuffer* buffer);
LiteRtStatus LiteRtLockTensorBuffer(LiteRtTensorBuffer buffer, void** memory, int mode);
LiteRtStatus LiteRtUnlockTensorBuffer(LiteRtTensorBuffer buffer);
LiteRtStatus LiteRtRunCompiledModel(LiteRtCompiledModel compiled, size_t signature, size_t inputs,
                                    LiteRtTensorBuffer* in, size_t outputs, LiteRtTensorBuffer* out);
void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer buffer);
void LiteRtDestroyCompiledModel(LiteRtCompiledModel compiled);
void LiteRtDestroyOptions(LiteRtOptions options);
void LiteRtDestroyModel(LiteRtModel model);
void LiteRtDestroyEnvironment(LiteRtEnvironment environment);
}
