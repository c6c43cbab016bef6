/* status.h: what can go wrong, in one list; every room branches on the id and prints the text. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * One row a kind of failure: id, exit code (CONTRACT.md), sentence.
 * The id says what happened, finely enough that a diagnosis can be chosen by it alone.
 */
#define MLS_STATUS_LIST(X)                                                             \
    X(OK, 0, "success")                                                                \
    /* usage */                                                                        \
    X(USAGE, 2, "the arguments do not fit together")                                   \
    X(INPUT_INVALID, 2, "an input does not fit the model")                             \
    /* files and packages: exit 3 */                                                   \
    X(NOT_FOUND, 3, "there is no such file")                                           \
    X(IO, 3, "the operating system refused to read or write")                          \
    X(PACKAGE_UNKNOWN, 3, "the bytes are no known form of a model")                    \
    X(PACKAGE_NOT_YET, 3, "this form of model is not supported yet")                   \
    X(MANIFEST_MISSING, 3, "the package has no Manifest.json")                         \
    X(MANIFEST_INVALID, 3, "the package's Manifest.json is wrong")                     \
    X(MANIFEST_VERSION, 3, "the manifest's fileFormatVersion is not supported")        \
    X(MANIFEST_ITEM_MISSING, 3, "the manifest lists a file that is not there")         \
    X(RTFD_INVALID, 3, "the flat RTFD breaks a rule of its format")                    \
    X(GIT_LFS_POINTER, 3, "the file is a Git LFS pointer, not the content")            \
    X(APPLE_ENCRYPTED, 3, "the model is encrypted by Apple's model encryption")        \
    X(AIMODEL, 3, "the file is a Core AI model, not a Core ML model")                  \
    X(OTHER_FORMAT, 3, "the file is a model of another framework")                     \
    /* sealed packages */                                                              \
    X(KEY_MISSING, 3, "the package is sealed and no key was given")                    \
    X(KEY_INVALID, 3, "the key is not a key of 32, 24 or 16 bytes")                    \
    X(SEAL_TRUNCATED, 3, "the sealed file is shorter than a sealed box can be")        \
    X(SEAL_REJECTED, 3, "the authentication tag does not match")                       \
    X(SEAL_CONTENT, 3, "the sealed content is not a package")                          \
    /* specification */                                                                \
    X(SPEC_INVALID, 3, "the specification is not a valid protobuf message")            \
    X(SPEC_VERSION_MISSING, 3, "the specification has no version")                     \
    X(SPEC_VERSION, 3, "the specification version is not supported")                   \
    X(SPEC_TYPE_MISSING, 3, "the specification has no model type that we know")        \
    X(SPEC_TYPE_NOT_YET, 3, "this type of model is not supported yet")                 \
    X(SPEC_INTERFACE, 3, "the model's interface breaks a rule")                        \
    X(FUNCTION_NOT_FOUND, 3, "the model has no such function")                         \
    /* weight blobs */                                                                 \
    X(BLOB_MISSING, 3, "a weight file is missing")                                     \
    X(BLOB_TRUNCATED, 3, "a weight lies past the end of its file")                     \
    X(BLOB_SENTINEL, 3, "no weight record stands at the offset")                       \
    X(BLOB_VERSION, 3, "the weight file has an unknown version")                       \
    X(BLOB_TYPE, 3, "the weight's type is not that of the program")                    \
    X(BLOB_SIZE, 3, "the weight's size is not that of the program")                    \
    /* program */                                                                      \
    X(PROGRAM_INVALID, 3, "the program breaks a rule of MIL")                          \
    X(OPSET_UNKNOWN, 3, "the program's opset is not known")                            \
    X(OP_UNKNOWN, 3, "the operation is not known")                                     \
    X(OP_UNSUPPORTED, 3, "the operation, in this form, is not supported")              \
    X(OP_ARGUMENT, 3, "an argument of the operation is wrong")                         \
    X(OP_TYPE, 3, "an argument's type is not one that the operation takes")            \
    X(OP_SHAPE, 3, "the shapes do not fit the operation")                              \
    X(INTERFACE_MISMATCH, 3, "the program and the model description disagree")         \
    X(LIMIT, 3, "a limit of mlscope is exceeded")                                      \
    /* running */                                                                      \
    X(RUN_INDEX, 5, "an index computed at run time lies outside its tensor")           \
    X(RUN_SHAPE, 5, "a shape computed at run time does not fit")                       \
    X(STATE_BUSY, 5, "the state is used by another prediction")                        \
    X(CANCELLED, 5, "cancelled")                                                       \
    X(TIMED_OUT, 5, "out of time")                                                     \
    X(MEMORY, 5, "out of memory")                                                      \
    X(OUTPUT, 5, "an output could not be written")                                     \
    X(GATE, 1, "a gate was broken")                                                    \
    X(INTERNAL, 4, "internal error")

enum mls_status {
#define X(id, exit_code, text) MLS_ERR_##id,
    MLS_STATUS_LIST(X)
#undef X
        MLS_STATUS_COUNT,
    MLS_OK = MLS_ERR_OK
};

/*
 * Causes: what a status leaves open and a diagnosis has to know. Set where the error is raised (mls_fail_because);
 * NONE where the status says it all.
 */
#define MLS_CAUSE_LIST(X)                                                                        \
    X(NONE)                                                                                      \
    X(BLOB_PADDING)         /* bits of padding that do not fit the number of elements */         \
    X(BRANCH_TYPES)         /* the branches of a condition give different types */               \
    X(NO_INPUTS)            /* no inputs, below the version that allows it */                    \
    X(NEWER_FEATURE)        /* the interface uses what a later specification version brought */  \
    X(STATE_DECLARATION)    /* a state is declared against the rules */                          \
    X(FUNCTION_DESCRIPTION) /* the descriptions of functions, or the default one, do not fit */  \
    X(SHAPE_NOT_LISTED)     /* a shape that is none of the allowed ones */                       \
    X(INPUT_NAME)           /* no input, output or state has this name */                        \
    X(INPUT_KIND)           /* an image where a tensor is expected, or the other way round */    \
    X(INPUT_DTYPE)          /* elements of a type, or a value, that the input does not hold */   \
    X(STATE_MISSING)        /* states were given, and this one is not among them */              \
    X(WEIGHTS_NOT_GIVEN)    /* a bare specification whose program refers to a weight file */      \
    X(NOT_COMPILED)         /* called a compiled model, and nothing of one is in it */           \
    X(SYSTEM_MODEL)         /* computed by a framework of Apple's systems, not by the file */    \
    X(APP_CODE)             /* computed by an app's own code: a custom model or layer */         \
    X(MODEL_ELSEWHERE)      /* refers to another model, which is not in the file */

enum mls_cause {
#define X(id) MLS_CAUSE_##id,
    MLS_CAUSE_LIST(X)
#undef X
        MLS_CAUSE_COUNT
};

enum { MLS_ERROR_TEXT_BYTES = 640, MLS_ERROR_NAME_BYTES = 160 };

/*
 * An error to read: what failed, where, why, and what to do. Owned by the caller; any function that takes one takes
 * NULL as well. Texts are UTF-8, cut at the buffer's end on a character boundary, and hold no control characters.
 */
struct mls_error {
    enum mls_status status;
    enum mls_cause cause;
    int64_t byte_offset;                  /* in `file`, or -1 */
    char text[MLS_ERROR_TEXT_BYTES];      /* "cannot open x: reason": what is printed */
    char hint[MLS_ERROR_TEXT_BYTES];      /* what to do, or "" */
    char file[MLS_ERROR_NAME_BYTES];      /* file or package entry, or "" */
    char function[MLS_ERROR_NAME_BYTES];  /* function of the program, or "" */
    char operation[MLS_ERROR_NAME_BYTES]; /* operation's name, or "" */
};

/* mls_status_text: the sentence of a status; static. */
const char *mls_status_text(enum mls_status status);

/* mls_status_name: the id as text ("BLOB_MISSING"); static. */
const char *mls_status_name(enum mls_status status);

/* mls_status_exit_code: the process's exit code for it (CONTRACT.md). */
int mls_status_exit_code(enum mls_status status);

/* mls_fail: clears *reterr, sets status and text, and returns status. Control characters become '?'. */
enum mls_status mls_fail(struct mls_error *reterr, enum mls_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* mls_fail_because: the same, with a cause. */
enum mls_status mls_fail_because(struct mls_error *reterr, enum mls_status status, enum mls_cause cause,
                                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* mls_cause_name: the id as text ("INPUT_NAME"); static. */
const char *mls_cause_name(enum mls_cause cause);

/* mls_error_hint: sets the hint of an error that mls_fail filled. */
void mls_error_hint(struct mls_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* mls_error_at: sets the place: file (or NULL) and byte offset (or -1). */
void mls_error_at(struct mls_error *error, const char *file, int64_t byte_offset);

/* mls_error_operation: sets function and operation (NULL leaves each as it is). */
void mls_error_operation(struct mls_error *error, const char *function, const char *operation);

/* mls_error_within: sets both and ends the text with them: " (relu 'relu1' of function 'main')". An empty operation: only
 * the function is known. */
void mls_error_within(struct mls_error *error, const char *function, const char *type, const char *operation);
