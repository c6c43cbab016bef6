/* LOAD: compiling and caches on Apple's side. Only logs show these. */
#include "rule.h"

static const struct mls_rule ROWS[] = {
    {.id = "LOAD034",
     .title = "the Neural Engine could not load the compiled program",
     .layer = MLS_LAYER_PLAN,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .patterns =
         "ANECF error: failed to load ANE model\nProgram load failure (0x20004)\nError plan build: -1.",
     .why = "The program does not fit: an older phone, or memory is short.",
     .fix = "Use cpuAndGPU, or split the model into smaller parts.",
     .source = "ml-stable-diffusion#26; coremltools#1717"},
    {.id = "LOAD036",
     .title = "a compiled-model cache is broken",
     .layer = MLS_LAYER_PLAN,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .patterns = "resources.bin missing at …com.apple.e5rt.e5bundlecache",
     .why = "The disk filled up during a compile, and the broken cache stays.",
     .fix = "Delete the cache folder that the message names, and free disk space.",
     .source = "coremltools#2507"},
    {.id = "LOAD037",
     .title = "the compiled graph package is missing or stale",
     .layer = MLS_LAYER_PLAN,
     .confidence = MLS_CONFIDENCE_LOW,
     .patterns = "The file 'manifest.plist' couldn't be opened\nThe file “manifest.plist” couldn’t be opened",
     .why = "MPSGraphExecutable found no whole package in its cache and stopped the process.",
     .fix = "Compile the model again; load it in a process of its own.",
     .source = "EnviousWispr#2595"},
    {.id = "LOAD031",
     .title = "the execution plan could not be built",
     .layer = MLS_LAYER_PLAN,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .confirm = rule_confirm_runs_here,
     .wrapper = true,
     .patterns = "Failed to build the model execution plan using a model architecture file '…' with error "
                 "code: …\nError plan build: -1.",
     .why = "A catch-all: seen with stateful caches, windowed slice updates, int32 matmul with a constant, "
            "the Neural Engine chosen, and a "
            "corrupt cache of compiled models. The cause is in an earlier line.",
     .fix = "Send the lines before it. Try cpuAndGPU, delete the compiled cache, and run the model here: if "
            "it runs, the graph is sound.",
     .source = "coremltools#2325; CoreMLPipelines PR 4; VoxCPMANE#6; FluidVoice#383; executorch#11691"},
    {.id = "LOAD039",
     .title = "the compiler failed",
     .layer = MLS_LAYER_PLAN,
     .confidence = MLS_CONFIDENCE_MEDIUM,
     .wrapper = true,
     .patterns = "compiler error: Encountered an error while compiling a …\nUnknown error in building "
                 "network shapes.",
     .why = "A wrapper: the cause is the rest of the line, or an earlier line.",
     .fix = "Read the rest of the line; send the lines before it.",
     .source = "coremltools#1505"},
};

RULE_FAMILY(load_plan);
