/* One instance of a series by one call: its command, its data set into a file without a name.

   It takes what comes as the instance before did and as nearly all senders send it. At whatever else it stops,
   loses nothing, and says how far it came: the receiver's Python goes on from there, and knows every answer.
   So this file raises nothing about a peer, decides nothing but "go on" or "stop", and answers nothing but
   Success, to what recorder.c has recorded or Python has. */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <structmember.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    HEADER = 6,          /* of a PDU (PS3.8 9.3.1) */
    PDV_HEADER = 6,      /* item length, context id, message control header (PS3.8 9.3.5.1) */
    BOTH_HEADERS = HEADER + PDV_HEADER,
    P_DATA_TF = 4,
    COMMAND = 1,
    LAST = 2,
    NO_CONTENT = 2,
    ELEMENT = 8,         /* tag and length in a command set (PS3.7 6.3.1) */
    GROUP_LENGTH = 12,
    SOP_INSTANCE = 0x1000,
    MAX_RAW_UID = 128,   /* of a UID in a command set, padding and all */
    MAX_TEXTS = 768,     /* of a response, but for its Message ID and SOP Instance UID */
    MAX_RESPONSE = 1024,
    META_LENGTH_AT = 140, /* of group 0002's length in file meta (PS3.10 7.1) */
    WRITE_BYTES = 64 * 1024,
    FILE_MODE = 0640,
};

enum { NOTHING, PART, WHOLE };

typedef struct {
    PyObject_HEAD
    /* Of the association. */
    int socket, root;
    PyObject *windows, *crc64nvme, *recorder; /* None for no recorder */
    Py_buffer lookahead;
    uint64_t maximum_length, most_bytes;
    double credit_s, earned_s;
    double send_s;
    volatile double deadline, send_deadline; /* these four are the watchdog's too, under the interpreter's lock */
    volatile char idle, stopping;
    /* What the next instance is expected to be like. */
    char expecting, implicit;
    unsigned char context_id;
    PyObject *texts; /* the tuple that the slices below point into */
    Slice before_id, after_id, rest, sop_class, meta_before, meta_after, response_before, response_after;
    PyObject *row; /* the template of a row of this study and series; NULL for none yet */
    Slice row_text;
    char row_study[MAX_UID + 1], row_series[MAX_UID + 1];
    /* Where in the connection's bytes it is; as Stream and Fragments name them. */
    Py_ssize_t start, end;
    unsigned long long received;
    double credit, earns, received_at;
    unsigned int left, length;
    unsigned char control;
    /* Of the message. */
    unsigned short message_id;
    size_t raw_length, uid_length;
    unsigned char uid[MAX_RAW_UID];
    char study[MAX_UID + 1], series[MAX_UID + 1];
    char identified, has_part, is_unheard;
    /* Of the file. */
    int fd, error;
    unsigned char *window;
    size_t filled, written, meta_length; /* of the window: bytes in it, and those in the file already */
    unsigned long long size, crc; /* bytes before the window's, and their checksum */
    /* Of what was recorded since `go_on`. */
    unsigned long long stored, stored_bytes;
    Failure failure;
} Series;

static double now(void)
{
    return seconds(CLOCK_MONOTONIC);
}

/* Reading; nothing here needs the interpreter. */

/* Returns how many bytes came, 0 if no more will or the time is up. As Stream._blocking does it. */
static size_t receive(Series *self, struct iovec *vectors, int count)
{
    ssize_t received;
    double began = now();
    self->deadline = began + self->credit;
    do
        received = readv(self->socket, vectors, count);
    while (received < 0 && errno == EINTR);
    self->deadline = INFINITY;
    if (received <= 0)
        received = 0;
    self->credit += (double)received * self->earns - (now() - began);
    if (self->earns > 0 && self->credit > self->credit_s)
        self->credit = self->credit_s;
    self->received += (unsigned long long)received;
    return (size_t)received;
}

/* Waits until `count` bytes are in the lookahead; 0 if they will not come. */
static int need(Series *self, Py_ssize_t count)
{
    unsigned char *buffer = self->lookahead.buf;
    if (self->end - self->start >= count)
        return 1;
    if (count > self->lookahead.len)
        return 0;
    if (self->start) {
        memmove(buffer, buffer + self->start, (size_t)(self->end - self->start));
        self->end -= self->start;
        self->start = 0;
    }
    while (self->end < count) {
        struct iovec vector = {buffer + self->end, (size_t)(self->lookahead.len - self->end)};
        size_t received = receive(self, &vector, 1);
        if (!received)
            return 0;
        self->end += (Py_ssize_t)received;
    }
    return 1;
}

/* Looks at the next fragment's header; returns the bytes that it takes, 0 for one that is not as expected.
   Sets `length`, `control` and `left`, which count only once the caller moves `start`. */
static int next_fragment(Series *self, unsigned int *left)
{
    unsigned char *at;
    uint64_t room;
    int header = PDV_HEADER;
    if (self->left) {
        if (self->left < PDV_HEADER || !need(self, PDV_HEADER))
            return 0;
        room = self->left;
    } else {
        /* Other PDUs are shorter than both headers: asking for both would wait for what never comes. */
        if (!need(self, HEADER))
            return 0;
        at = (unsigned char *)self->lookahead.buf + self->start;
        room = big32(at + 2);
        if (at[0] != P_DATA_TF || room < PDV_HEADER || room > self->maximum_length || !need(self, BOTH_HEADERS))
            return 0;
        header = BOTH_HEADERS;
    }
    at = (unsigned char *)self->lookahead.buf + self->start + header - PDV_HEADER;
    uint64_t length = big32(at);
    if (length <= NO_CONTENT || length + 4 > room || at[4] != self->context_id)
        return 0;
    self->length = (unsigned int)length - NO_CONTENT;
    self->control = at[5];
    *left = (unsigned int)(room - 4 - length);
    return header;
}

static void put(Series *self, Slice text)
{
    memcpy(self->window + self->filled, text.text, text.length);
    self->filled += text.length;
}

/* Starts the file with its meta, as filemeta.py makes it. 0 if there is no window or no file. */
static int begin(Series *self)
{
    size_t padded = self->uid_length + self->uid_length % 2;
    self->window = take_window(self->windows);
    if (!self->window)
        return 0;
    self->fd = openat(self->root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
    if (self->fd < 0) {
        give_window(self->windows, self->window);
        self->window = NULL;
        return 0;
    }
    self->filled = self->written = self->size = self->crc = 0;
    self->error = self->identified = 0;
    put(self, self->meta_before);
    put_little32(self->window + META_LENGTH_AT, little32(self->window + META_LENGTH_AT) + (uint32_t)padded);
    put_little16(self->window + self->filled - 2, (uint16_t)padded);
    put(self, (Slice){self->uid, self->uid_length});
    if (padded > self->uid_length)
        self->window[self->filled++] = 0;
    put(self, self->meta_after);
    self->meta_length = self->filled;
    return 1;
}

static int same(const unsigned char *data, Slice expected)
{
    return memcmp(data, expected.text, expected.length) == 0;
}

/* Reads a C-STORE-RQ that differs from the one before in Message ID and SOP Instance UID alone. */
static int read_command(Series *self)
{
    unsigned int left;
    int header = next_fragment(self, &left);
    size_t length = self->length, id_at = GROUP_LENGTH + self->before_id.length;
    size_t length_at = id_at + 2 + self->after_id.length, uid_at = length_at + 4;
    if (!header || self->control != (COMMAND | LAST) || length < uid_at + self->rest.length)
        return 0;
    if (!need(self, header + (Py_ssize_t)length))
        return 0;
    const unsigned char *set = (unsigned char *)self->lookahead.buf + self->start + header;
    size_t raw_length = length - uid_at - self->rest.length;
    if (little32(set) != 0 || little32(set + 4) != 4 || !same(set + GROUP_LENGTH, self->before_id) ||
        !same(set + id_at + 2, self->after_id) || little32(set + length_at) != raw_length ||
        !same(set + uid_at + raw_length, self->rest) || raw_length > MAX_RAW_UID)
        return 0;
    Slice uid = uid_text(set + uid_at, raw_length);
    if (!uid.text)
        return 0;
    self->message_id = little16(set + id_at);
    self->raw_length = raw_length;
    self->uid_length = uid.length;
    memcpy(self->uid, set + uid_at, raw_length);
    /* Not before all that may stop: what was not taken is read again from its first byte. */
    if (!begin(self))
        return 0;
    self->start += header + (Py_ssize_t)length;
    self->left = left;
    self->length = 0;
    return 1;
}

static void copy_uid(char *target, Slice uid)
{
    memcpy(target, uid.text, uid.length);
    target[uid.length] = 0;
}

/* Is it the instance that its command named? If not, or if it takes thought, Python judges. */
static int judge(Series *self)
{
    Identified found;
    if (!identify(self->window + self->meta_length, self->filled - self->meta_length, self->implicit, &found))
        return 0;
    if (found.sop_class.length != self->sop_class.length || !same(found.sop_class.text, self->sop_class) ||
        found.sop_instance.length != self->uid_length || memcmp(found.sop_instance.text, self->uid, self->uid_length))
        return 0;
    copy_uid(self->study, found.study);
    copy_uid(self->series, found.series);
    self->identified = 1;
    return 1;
}

/* Writes what came into the window; 0 with `error` set if it could not. */
static int write_out(Series *self)
{
    while (self->written < self->filled) {
        ssize_t count = pwrite(self->fd, self->window + self->written, self->filled - self->written,
                               (off_t)(self->size + self->written));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            self->error = count < 0 ? errno : EIO;
            return 0;
        }
        self->written += (size_t)count;
    }
    return 1;
}

/* The checksum of the window's bytes, by the interpreter where this processor cannot. */
static void take_checksum(Series *self, PyThreadState **state)
{
    if (self->crc64nvme == Py_None) {
        self->crc = crc64nvme(self->window, self->filled, self->crc);
        return;
    }
    PyEval_RestoreThread(*state);
    PyObject *view = PyMemoryView_FromMemory((char *)self->window, (Py_ssize_t)self->filled, PyBUF_READ);
    PyObject *before = PyLong_FromUnsignedLongLong(self->crc);
    PyObject *crc = view && before ? PyObject_CallFunctionObjArgs(self->crc64nvme, view, before, NULL) : NULL;
    if (crc)
        self->crc = PyLong_AsUnsignedLongLong(crc);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        self->error = ENOMEM;
    }
    Py_XDECREF(view);
    Py_XDECREF(before);
    Py_XDECREF(crc);
    *state = PyEval_SaveThread();
}

/* Empties the window into file and checksum; 0 with `error` set if it could not. */
static int empty(Series *self, PyThreadState **state)
{
    if (!write_out(self))
        return 0;
    take_checksum(self, state);
    self->size += self->filled;
    self->filled = self->written = 0;
    return !self->error;
}

/* Receives what is left of the current fragment; 0 to stop. */
static int receive_content(Series *self, PyThreadState **state)
{
    unsigned char *buffer = self->lookahead.buf;
    while (self->length) {
        size_t wanted, count;
        if (self->filled == WINDOW_BYTES && !empty(self, state))
            return 0;
        wanted = WINDOW_BYTES - self->filled;
        if (wanted > self->length)
            wanted = self->length;
        if (self->size + self->filled + wanted > self->most_bytes)
            return 0;
        if (self->end > self->start) {
            count = (size_t)(self->end - self->start);
            if (count > wanted)
                count = wanted;
            memcpy(self->window + self->filled, buffer + self->start, count);
            self->start += (Py_ssize_t)count;
        } else {
            /* With the rest of the fragment the headers that follow, or with the last one what there is. */
            struct iovec vectors[] = {
                {self->window + self->filled, wanted},
                {buffer, self->control & LAST ? (size_t)self->lookahead.len : BOTH_HEADERS},
            };
            count = receive(self, vectors, wanted == self->length ? 2 : 1);
            if (!count)
                return 0;
            self->start = self->end = 0;
            if (count > wanted) {
                self->end = (Py_ssize_t)(count - wanted);
                count = wanted;
            }
        }
        self->filled += count;
        self->length -= (unsigned int)count;
        /* At once, while the sender sends the next: a window that has to be full first makes it wait. */
        if (self->filled - self->written < WRITE_BYTES)
            continue;
        if (!self->identified && !judge(self))
            return 0;
        /* The interpreter is asked for as seldom as the window allows. */
        if (!(self->crc64nvme == Py_None ? empty(self, state) : write_out(self)))
            return 0;
    }
    return 1;
}

/* The PDU that says Success to the last instance, as dimse.py makes it; returns its length. */
static size_t build_response(Series *self, unsigned char *data)
{
    unsigned char *at = data;
    size_t padded = self->raw_length + self->raw_length % 2;
    size_t length = self->response_before.length + 2 + self->response_after.length + ELEMENT + padded;
    data[0] = P_DATA_TF;
    data[1] = 0;
    put_big32(data + 2, (uint32_t)length + PDV_HEADER);
    put_big32(data + 6, (uint32_t)length + NO_CONTENT);
    data[10] = self->context_id;
    data[11] = COMMAND | LAST;
    at += BOTH_HEADERS;
    memcpy(at, self->response_before.text, self->response_before.length);
    put_little32(at + ELEMENT, little32(at + ELEMENT) + (uint32_t)(ELEMENT + padded));
    at += self->response_before.length;
    put_little16(at, self->message_id);
    at += 2;
    memcpy(at, self->response_after.text, self->response_after.length);
    at += self->response_after.length;
    put_little16(at, 0);
    put_little16(at + 2, SOP_INSTANCE);
    put_little32(at + 4, (uint32_t)padded);
    at += ELEMENT;
    memcpy(at, self->uid, self->raw_length);
    if (padded > self->raw_length)
        at[self->raw_length] = 0;
    return BOTH_HEADERS + length;
}

/* Says Success to the last instance; 0 if the peer is gone or did not take it in time. */
static int answer(Series *self)
{
    unsigned char data[MAX_RESPONSE];
    size_t length = build_response(self, data), sent = 0;
    self->send_deadline = now() + self->send_s;
    while (sent < length) {
        ssize_t count = send(self->socket, data + sent, length - sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        sent += (size_t)count;
    }
    self->send_deadline = INFINITY;
    return sent == length;
}

static int receive_instance(Series *self, double idle_s, PyThreadState **state)
{
    self->earns = 0;
    self->credit = idle_s;
    if (!need(self, 1)) {
        self->credit = self->credit_s; /* nothing was begun */
        return NOTHING;
    }
    self->idle = 0;
    self->credit = self->credit_s;
    self->earns = self->earned_s;
    if (self->left || !read_command(self))
        return NOTHING;
    do {
        unsigned int left;
        int header = next_fragment(self, &left);
        if (!header || self->control & COMMAND) {
            self->length = 0;
            self->control = 0;
            return PART;
        }
        self->start += header;
        self->left = left;
        if (!receive_content(self, state))
            return PART;
    } while (!(self->control & LAST));
    self->received_at = now();
    return (self->identified || judge(self)) && empty(self, state) ? WHOLE : PART;
}

/* What Python sees. */

static void let_go(Series *self)
{
    if (self->window)
        give_window(self->windows, self->window);
    self->window = NULL;
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

static PyObject *go_on(PyObject *object, PyObject *arguments)
{
    Series *self = (Series *)object;
    Py_ssize_t start, end;
    unsigned long long received;
    unsigned int left;
    if (!PyArg_ParseTuple(arguments, "nnKI", &start, &end, &received, &left))
        return NULL;
    if (start < 0 || start > end || end > self->lookahead.len)
        return PyErr_Format(PyExc_ValueError, "bytes %zd to %zd of a lookahead of %zd", start, end, self->lookahead.len);
    self->start = start;
    self->end = end;
    self->received = received;
    self->left = left;
    self->stored = self->stored_bytes = 0;
    Py_RETURN_NONE;
}

/* Names and records a whole instance, if it is one of many; -1 with an exception. */
static int record(Series *self, Record *became)
{
    *became = LEFT;
    self->failure = (Failure){NULL, 0};
    if (self->recorder == Py_None || !self->row || strcmp(self->study, self->row_study) ||
        strcmp(self->series, self->row_series))
        return 0;
    char uid[MAX_UID + 1];
    copy_uid(uid, (Slice){self->uid, self->uid_length});
    Arrived instance = {self->fd, uid, self->uid_length, self->size, self->crc, self->received_at, self->row_text};
    if (record_instance(self->recorder, &instance, became, &self->failure))
        return -1;
    if (*became == RECORDED) {
        self->stored++;
        self->stored_bytes += self->size;
    }
    return 0;
}

static PyObject *next(PyObject *object, PyObject *arguments)
{
    Series *self = (Series *)object;
    double idle_s;
    int is_answered;
    if (!PyArg_ParseTuple(arguments, "dp", &idle_s, &is_answered))
        return NULL;
    if (!self->expecting || self->window)
        return PyErr_Format(PyExc_RuntimeError, "no instance is expected, or one is not taken");
    Record became;
    self->has_part = 0;
    do {
        PyThreadState *state = PyEval_SaveThread();
        self->is_unheard = !is_answered && !answer(self);
        let_go(self); /* of the last one's file, after the answer: the sender waits for that */
        int stage = self->is_unheard || self->stopping ? NOTHING : receive_instance(self, idle_s, &state);
        PyEval_RestoreThread(state);
        self->idle = 0;
        self->has_part = stage == PART;
        if (stage != WHOLE)
            Py_RETURN_NONE;
        give_window(self->windows, self->window);
        self->window = NULL;
        if (record(self, &became)) {
            let_go(self);
            return NULL;
        }
        is_answered = 0;
        /* Before looking whether to stop, see Watchdog.interrupt_idle. */
        self->idle = became == RECORDED;
    } while (became == RECORDED);
    PyObject *found = Py_BuildValue("is#ssKKd", self->fd, self->uid, (Py_ssize_t)self->uid_length, self->study,
                                    self->series, self->size, self->crc, self->received_at);
    if (!found)
        let_go(self);
    return found;
}

static PyObject *take(PyObject *object, PyObject *unused)
{
    (void)unused;
    Series *self = (Series *)object;
    if (!self->window)
        return PyErr_Format(PyExc_RuntimeError, "there is no part of an instance");
    PyObject *taken = Py_BuildValue("iKKny#y#ss", self->fd, self->size, self->crc, (Py_ssize_t)self->meta_length,
                                    self->window, (Py_ssize_t)self->filled, self->uid, (Py_ssize_t)self->raw_length,
                                    self->identified ? self->study : "", self->identified ? self->series : "");
    if (taken)
        self->fd = -1;
    let_go(self);
    return taken;
}

static PyObject *close_file(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (!((Series *)object)->window)
        let_go((Series *)object);
    Py_RETURN_NONE;
}

static PyObject *response(PyObject *object, PyObject *unused)
{
    (void)unused;
    Series *self = (Series *)object;
    unsigned char data[MAX_RESPONSE];
    if (!self->expecting || !self->raw_length)
        return PyErr_Format(PyExc_RuntimeError, "no instance came that a response could be to");
    size_t length = build_response(self, data);
    return PyBytes_FromStringAndSize((char *)data, (Py_ssize_t)length);
}

static int slice(PyObject *texts, Py_ssize_t n, Slice *target)
{
    char *text;
    Py_ssize_t length;
    PyObject *item = PyTuple_GetItem(texts, n);
    if (!item || PyBytes_AsStringAndSize(item, &text, &length))
        return -1;
    *target = (Slice){(unsigned char *)text, (size_t)length};
    return 0;
}

static PyObject *expect(PyObject *object, PyObject *arguments)
{
    Series *self = (Series *)object;
    unsigned char context_id;
    int implicit;
    PyObject *texts;
    if (!PyArg_ParseTuple(arguments, "bpO!", &context_id, &implicit, &PyTuple_Type, &texts))
        return NULL;
    Slice *slices[] = {&self->before_id,   &self->after_id,   &self->rest,            &self->sop_class,
                       &self->meta_before, &self->meta_after, &self->response_before, &self->response_after};
    self->expecting = 0;
    Py_INCREF(texts);
    Py_XDECREF(self->texts);
    self->texts = texts;
    Py_CLEAR(self->row); /* of another class or encoding */
    for (size_t n = 0; n < sizeof slices / sizeof *slices; n++)
        if (slice(texts, (Py_ssize_t)n, slices[n]))
            return NULL;
    if (self->meta_before.length < META_LENGTH_AT + 4 || self->response_before.length < GROUP_LENGTH ||
        self->meta_before.length + self->meta_after.length > WINDOW_BYTES / 2 ||
        self->response_before.length + self->response_after.length > MAX_TEXTS)
        return PyErr_Format(PyExc_ValueError, "not what an instance starts with, or a response");
    self->context_id = context_id;
    self->implicit = (char)implicit;
    self->expecting = 1;
    Py_RETURN_NONE;
}

static PyObject *expect_row(PyObject *object, PyObject *arguments)
{
    Series *self = (Series *)object;
    PyObject *row;
    const char *study, *series;
    if (!PyArg_ParseTuple(arguments, "O!ss", &PyBytes_Type, &row, &study, &series))
        return NULL;
    if (strlen(study) > MAX_UID || strlen(series) > MAX_UID)
        return PyErr_Format(PyExc_ValueError, "not a study's or series' UID");
    Py_INCREF(row);
    Py_XDECREF(self->row);
    self->row = row;
    self->row_text = (Slice){(unsigned char *)PyBytes_AsString(row), (size_t)PyBytes_Size(row)};
    strcpy(self->row_study, study);
    strcpy(self->row_series, series);
    Py_RETURN_NONE;
}

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *names)
{
    int socket, root;
    PyObject *windows, *recorder, *crc64nvme, *lookahead;
    unsigned long long maximum_length, most_bytes;
    double credit_s, earned_s, send_s;
    PyObject *module = PyType_GetModule(type);
    PyObject *windows_type = module ? PyObject_GetAttrString(module, "Windows") : NULL;
    PyObject *recorder_type = windows_type ? PyObject_GetAttrString(module, "Recorder") : NULL;
    if (!recorder_type) {
        Py_XDECREF(windows_type);
        return NULL;
    }
    int parsed = PyArg_ParseTuple(arguments, "iiO!OOOKKddd", &socket, &root, windows_type, &windows, &recorder,
                                  &crc64nvme, &lookahead, &maximum_length, &most_bytes, &credit_s, &earned_s, &send_s);
    int fits = parsed && (recorder == Py_None || PyObject_TypeCheck(recorder, (PyTypeObject *)recorder_type));
    Py_DECREF(windows_type);
    Py_DECREF(recorder_type);
    if (!parsed)
        return NULL;
    if (!fits)
        return PyErr_Format(PyExc_TypeError, "not a recorder");
    if (names && PyDict_Size(names))
        return PyErr_Format(PyExc_TypeError, "Series takes no keyword arguments");
    Series *self = (Series *)PyType_GenericAlloc(type, 0);
    if (!self)
        return NULL;
    self->fd = -1;
    self->deadline = self->send_deadline = INFINITY;
    if (PyObject_GetBuffer(lookahead, &self->lookahead, PyBUF_WRITABLE)) {
        Py_DECREF(self);
        return NULL;
    }
    self->socket = socket;
    self->root = root;
    self->windows = Py_NewRef(windows);
    self->crc64nvme = Py_NewRef(crc64nvme);
    self->recorder = Py_NewRef(recorder);
    self->maximum_length = maximum_length;
    self->most_bytes = most_bytes;
    self->credit_s = credit_s;
    self->earned_s = earned_s;
    self->send_s = send_s;
    if (self->lookahead.len < 2 * MAX_RAW_UID) {
        PyErr_Format(PyExc_ValueError, "a lookahead of %zd bytes", self->lookahead.len);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void dealloc(PyObject *object)
{
    Series *self = (Series *)object;
    let_go(self);
    if (self->lookahead.obj)
        PyBuffer_Release(&self->lookahead);
    Py_XDECREF(self->texts);
    Py_XDECREF(self->row);
    Py_XDECREF(self->recorder);
    Py_XDECREF(self->windows);
    Py_XDECREF(self->crc64nvme);
    free_object(object);
}

static PyMethodDef methods[] = {
    {"expect", expect, METH_VARARGS, NULL},
    {"expect_row", expect_row, METH_VARARGS, NULL},
    {"go_on", go_on, METH_VARARGS, NULL},
    {"next", next, METH_VARARGS, NULL},
    {"close", close_file, METH_NOARGS, NULL},
    {"take", take, METH_NOARGS, NULL},
    {"response", response, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

#define MEMBER(name, type, flags) {#name, type, offsetof(Series, name), flags, NULL}

static PyMemberDef members[] = {
    MEMBER(deadline, T_DOUBLE, READONLY),
    MEMBER(idle, T_BOOL, 0),
    MEMBER(send_deadline, T_DOUBLE, READONLY),
    MEMBER(is_unheard, T_BOOL, READONLY),
    MEMBER(has_part, T_BOOL, READONLY),
    MEMBER(start, T_PYSSIZET, READONLY),
    MEMBER(end, T_PYSSIZET, READONLY),
    MEMBER(received, T_ULONGLONG, READONLY),
    MEMBER(credit, T_DOUBLE, READONLY),
    MEMBER(left, T_UINT, READONLY),
    MEMBER(length, T_UINT, READONLY),
    MEMBER(control, T_UBYTE, READONLY),
    MEMBER(message_id, T_USHORT, READONLY),
    MEMBER(error, T_INT, READONLY),
    MEMBER(stopping, T_BOOL, 0),
    MEMBER(stored, T_ULONGLONG, READONLY),
    MEMBER(stored_bytes, T_ULONGLONG, READONLY),
    {"failed_at", T_STRING, offsetof(Series, failure.at), READONLY, NULL},
    {"failure", T_INT, offsetof(Series, failure.error), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, make},
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {0, NULL},
};

PyType_Spec series_spec = {
    .name = "receiver._native.Series",
    .basicsize = sizeof(Series),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
