/* What is counted of each instance that may be acknowledged, in memory that the task's processes share. */
#include "native.h"

enum { MAX_BOUNDS = 99 };

typedef struct {
    PyObject_HEAD
    PyObject *words;
    Py_ssize_t acked, bytes, buckets, count;
    double bounds[MAX_BOUNDS];
} StoredCounts;

/* StoredCounts(words, acked, bytes, buckets, bounds) */
static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *names)
{
    PyObject *words, *bounds;
    Py_ssize_t acked, bytes, buckets;
    if (names && PyDict_Size(names))
        return PyErr_Format(PyExc_TypeError, "StoredCounts takes no keyword arguments");
    if (!PyArg_ParseTuple(arguments, "OnnnO!", &words, &acked, &bytes, &buckets, &PyTuple_Type, &bounds))
        return NULL;
    StoredCounts *self = (StoredCounts *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    self->words = Py_NewRef(words);
    self->acked = acked;
    self->bytes = bytes;
    self->buckets = buckets;
    self->count = PyTuple_Size(bounds);
    if (self->count > MAX_BOUNDS)
        PyErr_Format(PyExc_ValueError, "at most %d bounds", MAX_BOUNDS);
    for (Py_ssize_t n = 0; n < self->count && !PyErr_Occurred(); n++)
        self->bounds[n] = PyFloat_AsDouble(PyTuple_GetItem(bounds, n));
    if (!PyErr_Occurred())
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

/* add(size, latency_s), under the interpreter's lock: of this process nobody else writes meanwhile. */
static PyObject *add(PyObject *object, PyObject *arguments)
{
    StoredCounts *self = (StoredCounts *)object;
    unsigned long long size;
    double latency_s;
    if (!PyArg_ParseTuple(arguments, "Kd", &size, &latency_s))
        return NULL;
    Py_buffer view; /* not kept: whoever owns the memory may release it */
    if (PyObject_GetBuffer(self->words, &view, PyBUF_WRITABLE))
        return NULL;
    uint64_t *words = view.buf;
    Py_ssize_t there = view.len / (Py_ssize_t)sizeof *words, bucket = 0;
    while (bucket < self->count && self->bounds[bucket] < latency_s)
        bucket++;
    bucket += self->buckets;
    int fits = self->acked >= 0 && self->acked < there && self->bytes >= 0 && self->bytes < there &&
               self->buckets >= 0 && bucket < there;
    if (fits) {
        words[self->acked] += 1;
        words[self->bytes] += size;
        words[bucket] += 1;
    }
    PyBuffer_Release(&view);
    if (!fits)
        return PyErr_Format(PyExc_IndexError, "no such word");
    Py_RETURN_NONE;
}

static void dealloc(PyObject *object)
{
    Py_XDECREF(((StoredCounts *)object)->words);
    free_object(object);
}

static PyMethodDef methods[] = {{"add", add, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_new, make},
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec stored_counts_spec = {
    .name = "receiver._native.StoredCounts",
    .basicsize = sizeof(StoredCounts),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
