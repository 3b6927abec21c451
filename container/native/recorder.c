/* Most instances of a series by one call: named, recorded in their batch, counted.

   It does what landing.py's `store_file` does, in that order, which is the promise: the name is durable, the lease
   still runs, the row is in the journal, and only then may the instance be acknowledged. It knows one batch, that
   into which Python stored last, and one folder of it. At whatever else it leaves the instance to Python, which
   knows everything: opening and closing batches, duplicates, what to answer. */
#include "native.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <structmember.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    WAYS = 8, /* of recent.py's sets */
    MAX_PATH = 128,
    MAX_KEY = MAX_PATH + 64,
    MAX_ROW = 4096,
    MAX_FILLED = 1024, /* what the places of a row's template take, and more */
    RANDOM_BYTES = 8,
    MAX_SUFFIX = 8,
};

/* What a batch counts. Written under the landing's lock by both, each holding the interpreter's. */
typedef struct {
    PyObject_HEAD
    long long admitted, pending, charged_bytes, acked, acked_bytes;
    double touched_at;
    char closing, sealing;
} Account;

/* As recent.py has it. */
typedef struct {
    struct {
        uint64_t crc;
        int64_t other;
        double stored_at;
    } entries[WAYS];
    uint64_t oldest;
} Set;

/* A folder of an open batch. */
typedef struct {
    Account *batch;
    PyObject *directory; /* keeps `parent` open */
    int parent, journal;
    long long folder;
    double closes_at, lease_ends_at;
    char path[MAX_PATH];
} Place;

typedef struct {
    PyObject_HEAD
    PyObject *acquire, *release, *recent, *secret, *add_stored;
    double recent_s, idle_s;
    long long most_instances, most_bytes, folder_instances;
    char suffix[MAX_SUFFIX];
    Place place; /* where Python stored last; no batch if it did not yet */
} Recorder;

/* Calls what takes nothing and returns nothing of use. */
static int call(PyObject *function)
{
    PyObject *result = PyObject_CallNoArgs(function);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Of what was stored a moment ago. */

typedef struct {
    uint64_t crc;
    int64_t other;
} Entry;

static int make_entry(Recorder *self, const Arrived *instance, Entry *entry)
{
    PyObject *text = PyUnicode_FromFormat("%U%s\n%llu", self->secret, instance->uid, instance->size);
    if (!text)
        return -1;
    entry->crc = instance->crc;
    entry->other = PyObject_Hash(text);
    Py_DECREF(text);
    return entry->other == -1 ? -1 : 0;
}

/* Returns the entry's set, or NULL with an exception; `view` is to be released. */
static Set *find_set(Recorder *self, const Entry *entry, Py_buffer *view)
{
    if (PyObject_GetBuffer(self->recent, view, PyBUF_WRITABLE))
        return NULL;
    int64_t count = view->len / (Py_ssize_t)sizeof(Set), n = entry->other % count;
    return (Set *)view->buf + (n < 0 ? n + count : n);
}

/* Returns whether it was stored a moment ago, -1 with an exception. */
static int holds(Recorder *self, const Entry *entry)
{
    Py_buffer view;
    const Set *set = find_set(self, entry, &view);
    if (!set)
        return -1;
    int found = 0;
    double since = seconds(CLOCK_MONOTONIC) - self->recent_s;
    for (int n = 0; n < WAYS; n++)
        found |= set->entries[n].crc == entry->crc && set->entries[n].other == entry->other &&
                 set->entries[n].stored_at > since;
    PyBuffer_Release(&view);
    return found;
}

static int add_recent(Recorder *self, const Entry *entry)
{
    Py_buffer view;
    Set *set = find_set(self, entry, &view);
    if (!set)
        return -1;
    uint64_t oldest = set->oldest % WAYS;
    set->oldest = (oldest + 1) % WAYS;
    set->entries[oldest].crc = entry->crc;
    set->entries[oldest].other = entry->other;
    set->entries[oldest].stored_at = seconds(CLOCK_MONOTONIC);
    PyBuffer_Release(&view);
    return 0;
}

/* Under the landing's lock, as batch.py has it. */

static int admits(const Recorder *self, const Place *place, unsigned long long size, double now)
{
    const Account *batch = place->batch;
    return !batch->closing && !batch->sealing && now < place->closes_at && batch->admitted < self->most_instances &&
           (batch->pending > 0 || now - batch->touched_at < self->idle_s) &&
           batch->charged_bytes + (long long)size <= self->most_bytes &&
           batch->admitted / self->folder_instances == place->folder;
}

static void settle(Account *batch, double now, unsigned long long size, int acked)
{
    batch->pending--;
    batch->touched_at = now;
    if (acked) {
        batch->acked++;
        batch->acked_bytes += (long long)size;
    }
}

/* Adds a line to the journal: whole, or not at all. 0, or -1 with errno. */
static int append(int journal, const char *line, size_t length)
{
    ssize_t written = write(journal, line, length);
    if (written == (ssize_t)length)
        return 0;
    if (written < 0)
        return -1;
    /* Or the next row would continue this half of one. */
    off_t end = lseek(journal, 0, SEEK_END);
    if (end >= written && ftruncate(journal, end - written) == 0)
        errno = ENOSPC;
    return -1;
}

/* Gives the instance its number; 0 if it is the landing's to say, -1 with an exception. */
static int admit(Recorder *self, const Place *place, unsigned long long size, long long *n)
{
    Account *batch = place->batch;
    if (call(self->acquire))
        return -1;
    double now = seconds(CLOCK_REALTIME);
    int admitted = admits(self, place, size, now);
    if (admitted) {
        *n = batch->admitted++;
        batch->pending++;
        batch->charged_bytes += (long long)size;
        batch->touched_at = now;
    }
    return call(self->release) ? -1 : admitted;
}

/* Ends what `admit` began: 1 if it may be acknowledged, 0 with `failure`, -1 with an exception. */
static int conclude(Recorder *self, const Place *place, unsigned long long size, const char *line, size_t length,
                    Failure *failure)
{
    if (call(self->acquire))
        return -1;
    double now = seconds(CLOCK_REALTIME);
    if (!failure->at && (place->batch->sealing || now >= place->lease_ends_at))
        *failure = (Failure){"lease", 0};
    if (!failure->at && append(place->journal, line, length))
        *failure = (Failure){"journal", errno};
    settle(place->batch, now, size, !failure->at);
    return call(self->release) ? -1 : !failure->at;
}

static int note_stored(Recorder *self, const Arrived *instance)
{
    PyObject *result = PyObject_CallFunction(self->add_stored, "Kd", instance->size,
                                             seconds(CLOCK_MONOTONIC) - instance->received_at);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int random_name(const Recorder *self, char *name)
{
    unsigned char bytes[RANDOM_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return 0;
    for (int n = 0; n < RANDOM_BYTES; n++)
        snprintf(name + 2 * n, 3, "%02x", bytes[n]);
    strcpy(name + 2 * RANDOM_BYTES, self->suffix);
    return 1;
}

static int record_in(Recorder *self, const Place *place, const Arrived *instance, const Entry *entry, Record *became,
                     Failure *failure)
{
    char name[2 * RANDOM_BYTES + MAX_SUFFIX], folder[24], key[MAX_KEY], row[MAX_ROW];
    long long n;
    if (!random_name(self, name))
        return 0;
    int done = admit(self, place, instance->size, &n);
    if (done <= 0)
        return done;
    int error = 0;
    snprintf(folder, sizeof folder, "%04lld", n);
    Py_BEGIN_ALLOW_THREADS
    if (name_durably(instance->fd, place->parent, folder, name))
        error = errno ? errno : EIO;
    Py_END_ALLOW_THREADS
    if (error)
        *failure = (Failure){"name", error};
    Slice key_slice = {(unsigned char *)key,
                       (size_t)snprintf(key, sizeof key, "%s/%s/%s", place->path, folder, name)};
    size_t length = write_row(instance, key_slice, seconds(CLOCK_REALTIME), row, sizeof row - 1);
    if (!length && !failure->at)
        *failure = (Failure){"journal", EMSGSIZE};
    row[length] = '\n';
    done = conclude(self, place, instance->size, row, length + 1, failure);
    if (done < 0)
        return -1;
    *became = done ? RECORDED : REFUSED;
    return done && (add_recent(self, entry) || note_stored(self, instance)) ? -1 : 0;
}

int record_instance(PyObject *recorder, const Arrived *instance, Record *became, Failure *failure)
{
    Recorder *self = (Recorder *)recorder;
    Entry entry;
    *became = LEFT;
    *failure = (Failure){NULL, 0};
    if (!self->place.batch || instance->row.length > MAX_ROW - MAX_FILLED)
        return 0;
    if (make_entry(self, instance, &entry))
        return -1;
    int known = holds(self, &entry);
    if (known)
        return known < 0 ? -1 : 0;
    /* Another thread may go on to the next folder or batch meanwhile. */
    Place place = self->place;
    Py_INCREF((PyObject *)place.batch);
    Py_INCREF(place.directory);
    int failed = record_in(self, &place, instance, &entry, became, failure);
    Py_DECREF(place.directory);
    Py_DECREF((PyObject *)place.batch);
    return failed;
}

/* What Python sees. */

static PyObject *expect(PyObject *object, PyObject *arguments)
{
    Recorder *self = (Recorder *)object;
    Place place = {0};
    const char *path;
    PyObject *module = PyType_GetModule(Py_TYPE(object));
    PyObject *account_type = module ? PyObject_GetAttrString(module, "Account") : NULL;
    if (!account_type)
        return NULL;
    int parsed =
        PyArg_ParseTuple(arguments, "O!iddOiLs", account_type, &place.batch, &place.journal, &place.closes_at,
                         &place.lease_ends_at, &place.directory, &place.parent, &place.folder, &path);
    Py_DECREF(account_type);
    if (!parsed)
        return NULL;
    if (strlen(path) >= MAX_PATH)
        return PyErr_Format(PyExc_ValueError, "a path of %zu bytes", strlen(path));
    strcpy(place.path, path);
    Py_INCREF((PyObject *)place.batch);
    Py_INCREF(place.directory);
    Place before = self->place;
    self->place = place;
    Py_XDECREF((PyObject *)before.batch);
    Py_XDECREF(before.directory);
    Py_RETURN_NONE;
}

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *names)
{
    PyObject *lock, *recent, *secret, *add_stored;
    double recent_s, idle_s;
    long long most_instances, most_bytes, folder_instances;
    const char *suffix;
    if (names && PyDict_Size(names))
        return PyErr_Format(PyExc_TypeError, "Recorder takes no keyword arguments");
    if (!PyArg_ParseTuple(arguments, "OOUdOdLLLs", &lock, &recent, &secret, &recent_s, &add_stored, &idle_s,
                          &most_instances, &most_bytes, &folder_instances, &suffix))
        return NULL;
    Recorder *self = (Recorder *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    self->recent = Py_NewRef(recent);
    self->secret = Py_NewRef(secret);
    self->add_stored = Py_NewRef(add_stored);
    self->acquire = PyObject_GetAttrString(lock, "acquire");
    self->release = self->acquire ? PyObject_GetAttrString(lock, "release") : NULL;
    self->recent_s = recent_s;
    self->idle_s = idle_s;
    self->most_instances = most_instances;
    self->most_bytes = most_bytes;
    self->folder_instances = folder_instances;
    Py_buffer view;
    if (self->release && !PyObject_GetBuffer(recent, &view, PyBUF_WRITABLE)) {
        Py_ssize_t length = view.len;
        PyBuffer_Release(&view);
        if (length && length % (Py_ssize_t)sizeof(Set) == 0 && folder_instances > 0 && strlen(suffix) < MAX_SUFFIX) {
            strcpy(self->suffix, suffix);
            return (PyObject *)self;
        }
        PyErr_Format(PyExc_ValueError, "not what a recorder is made of");
    }
    Py_DECREF(self);
    return NULL;
}

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    Recorder *self = (Recorder *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->acquire);
    Py_VISIT(self->release);
    Py_VISIT(self->recent);
    Py_VISIT(self->add_stored);
    Py_VISIT((PyObject *)self->place.batch);
    Py_VISIT(self->place.directory);
    return 0;
}

static int clear(PyObject *object)
{
    Recorder *self = (Recorder *)object;
    PyObject *batch = (PyObject *)self->place.batch;
    self->place.batch = NULL;
    Py_XDECREF(batch);
    Py_CLEAR(self->acquire);
    Py_CLEAR(self->release);
    Py_CLEAR(self->recent);
    Py_CLEAR(self->secret);
    Py_CLEAR(self->add_stored);
    Py_CLEAR(self->place.directory);
    return 0;
}

static void dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    clear(object);
    free_object(object);
}

static PyMethodDef methods[] = {{"expect", expect, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_new, make},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec recorder_spec = {
    .name = "receiver._native.Recorder",
    .basicsize = sizeof(Recorder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

static PyObject *make_account(PyTypeObject *type, PyObject *arguments, PyObject *names)
{
    (void)arguments; /* the subclass's */
    (void)names;
    return PyType_GenericAlloc(type, 0);
}

static void dealloc_account(PyObject *object)
{
    free_object(object);
}

#define MEMBER(name, type) {#name, type, offsetof(Account, name), 0, NULL}

static PyMemberDef account_members[] = {
    MEMBER(admitted, T_LONGLONG),    MEMBER(pending, T_LONGLONG),   MEMBER(charged_bytes, T_LONGLONG),
    MEMBER(acked, T_LONGLONG),       MEMBER(acked_bytes, T_LONGLONG), MEMBER(touched_at, T_DOUBLE),
    MEMBER(closing, T_BOOL),         MEMBER(sealing, T_BOOL),       {NULL, 0, 0, 0, NULL},
};

static PyType_Slot account_slots[] = {
    {Py_tp_new, make_account},
    {Py_tp_dealloc, dealloc_account},
    {Py_tp_members, account_members},
    {0, NULL},
};

PyType_Spec account_spec = {
    .name = "receiver._native.Account",
    .basicsize = sizeof(Account),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = account_slots,
};
