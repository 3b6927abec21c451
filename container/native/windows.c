/* Windows: the memory through which a worker's plain instances go, one for each while it comes. */
#include "native.h"

#include <pthread.h>
#include <sys/mman.h>

enum { MAX_WINDOWS = 256 };

typedef struct {
    PyObject_HEAD
    unsigned char *memory;
    size_t bytes;
    pthread_mutex_t lock;
    int free_count;
    unsigned char *free[MAX_WINDOWS];
} Windows;

/* The one used last, which is still in the processor's cache; NULL if there is none. Needs no interpreter. */
unsigned char *take_window(PyObject *object)
{
    Windows *windows = (Windows *)object;
    pthread_mutex_lock(&windows->lock);
    unsigned char *window = windows->free_count ? windows->free[--windows->free_count] : NULL;
    pthread_mutex_unlock(&windows->lock);
    return window;
}

void give_window(PyObject *object, unsigned char *window)
{
    Windows *windows = (Windows *)object;
    pthread_mutex_lock(&windows->lock);
    windows->free[windows->free_count++] = window;
    pthread_mutex_unlock(&windows->lock);
}

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *names)
{
    int count;
    if (names && PyDict_Size(names))
        return PyErr_Format(PyExc_TypeError, "Windows takes no keyword arguments");
    if (!PyArg_ParseTuple(arguments, "i", &count))
        return NULL;
    if (count < 0 || count > MAX_WINDOWS)
        return PyErr_Format(PyExc_ValueError, "from 0 to %d windows", MAX_WINDOWS);
    Windows *windows = (Windows *)PyType_GenericAlloc(type, 0);
    if (!windows)
        return NULL;
    pthread_mutex_init(&windows->lock, NULL);
    windows->bytes = (size_t)count * WINDOW_BYTES;
    if (count) {
        /* Pages are touched by use only. */
        void *memory = mmap(NULL, windows->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            Py_DECREF(windows);
            return PyErr_NoMemory();
        }
        windows->memory = memory;
    }
    for (int n = count - 1; n >= 0; n--)
        windows->free[windows->free_count++] = windows->memory + (size_t)n * WINDOW_BYTES;
    return (PyObject *)windows;
}

static void dealloc(PyObject *object)
{
    Windows *windows = (Windows *)object;
    if (windows->memory)
        munmap(windows->memory, windows->bytes);
    pthread_mutex_destroy(&windows->lock);
    free_object(object);
}

static PyObject *get_free(PyObject *object, void *unused)
{
    (void)unused;
    Windows *windows = (Windows *)object;
    pthread_mutex_lock(&windows->lock);
    long count = windows->free_count;
    pthread_mutex_unlock(&windows->lock);
    return PyLong_FromLong(count);
}

static PyGetSetDef properties[] = {
    {"free", get_free, NULL, "Windows that nobody holds.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, make},
    {Py_tp_dealloc, dealloc},
    {Py_tp_getset, properties},
    {0, NULL},
};

PyType_Spec windows_spec = {
    .name = "receiver._native.Windows",
    .basicsize = sizeof(Windows),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
