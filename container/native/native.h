/* The receiver's part in C: the parts' names for each other. See ../receiver/series.py. */
#ifndef STORESCP_NATIVE_H
#define STORESCP_NATIVE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* As vr.py, header.py and syntaxes.py have it: a UID on the wire (PS3.5 9.1). */
#define MAX_UID 64

typedef struct {
    const unsigned char *text;
    size_t length;
} Slice;

/* Of a data set's header: UIDs as text, without their padding; they point into it. */
typedef struct {
    Slice sop_class, sop_instance, study, series;
} Identified;

/* header.c: 1 if all four UIDs were found in `data` and nothing before them needs thought, else 0. */
int identify(const unsigned char *data, size_t length, int implicit, Identified *found);

/* header.c: what is left of a UID without its padding; no text if it is no UID of 1 to MAX_UID characters. */
Slice uid_text(const unsigned char *value, size_t length);

/* crc64.c: whether this processor has what `crc64nvme` needs; to be called first. */
int has_crc64nvme(void);
uint64_t crc64nvme(const unsigned char *data, size_t length, uint64_t before);

/* windows.c */
#define WINDOW_BYTES (256 * 1024)
unsigned char *take_window(PyObject *windows);
void give_window(PyObject *windows, unsigned char *window);
extern PyType_Spec windows_spec;

/* series.c */
extern PyType_Spec series_spec;

/* A whole instance in a file without a name. */
typedef struct {
    int fd;
    const char *uid;
    size_t uid_length;
    unsigned long long size, crc;
    double received_at; /* when its last fragment had come: CLOCK_MONOTONIC */
    Slice row;          /* the template of its manifest row */
} Arrived;

/* rows.c: a row, a place of whose template is filled each; its length, 0 if it does not fit. */
size_t write_row(const Arrived *instance, Slice key, double received_at, char *row, size_t room);
PyObject *fill_row(PyObject *module, PyObject *arguments);

/* counts.c */
extern PyType_Spec stored_counts_spec;

/* files.c: 0, or -1 with errno. */
int name_durably(int fd, int parent, const char *folder, const char *name);
PyObject *name_file(PyObject *module, PyObject *arguments);

/* recorder.c */
extern PyType_Spec account_spec, recorder_spec;

/* What became of an instance: it is the landing's to store; it may be acknowledged; it may not. */
typedef enum { LEFT, RECORDED, REFUSED } Record;

typedef struct {
    const char *at; /* what failed: "name", "lease" or "journal" */
    int error;      /* errno; 0 for a lease that has ended */
} Failure;

/* Called with the interpreter's lock. Returns 0, or -1 with an exception. */
int record_instance(PyObject *recorder, const Arrived *instance, Record *became, Failure *failure);

/* The last of a `dealloc`: an object of a type on the heap holds its type. */
static inline void free_object(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static inline double seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static inline uint16_t little16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t little32(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint32_t big32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void put_little16(unsigned char *at, uint16_t value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

static inline void put_little32(unsigned char *at, uint32_t value)
{
    put_little16(at, (uint16_t)value);
    put_little16(at + 2, (uint16_t)(value >> 16));
}

static inline void put_big32(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
}

#endif
