/* What is written and counted of each instance between its last byte and its response: formatting, no decision. */
#include "native.h"

#include <stdio.h>
#include <string.h>

enum { MAX_NUMBER = 40, CRC_TEXT = 12 };

/* A checksum as S3 writes it: base64 of its 8 bytes, big-endian (RFC 4648, section 4). */
static void write_base64(uint64_t crc, char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    /* 64 bits and two of padding are eleven digits. */
    text[0] = digits[crc >> 58];
    for (int n = 1; n < CRC_TEXT - 2; n++)
        text[n] = digits[crc >> (58 - 6 * n) & 63];
    text[CRC_TEXT - 2] = digits[(crc & 15) << 2];
    text[CRC_TEXT - 1] = '=';
}

/* fill_row(template, key, uid, size, crc, now): as records.py does it with `%`. */
PyObject *fill_row(PyObject *module, PyObject *arguments)
{
    (void)module;
    char size_text[MAX_NUMBER], now_text[MAX_NUMBER], crc_text[CRC_TEXT];
    const char *row, *key, *uid;
    Py_ssize_t row_length, key_length, uid_length;
    unsigned long long size, crc;
    double now;
    if (!PyArg_ParseTuple(arguments, "s#s#s#KKd", &row, &row_length, &key, &key_length, &uid, &uid_length, &size,
                          &crc, &now))
        return NULL;
    if (!(now >= 0 && now < 1e15))
        return PyErr_Format(PyExc_ValueError, "not a time");
    write_base64(crc, crc_text);
    struct {
        const char *text;
        size_t length;
        int is_text;
    } values[] = {
        {key, (size_t)key_length, 1},
        {uid, (size_t)uid_length, 1},
        {size_text, (size_t)snprintf(size_text, sizeof size_text, "%llu", size), 0},
        {crc_text, CRC_TEXT, 1},
        {now_text, (size_t)snprintf(now_text, sizeof now_text, "%.3f", now), 0},
    };
    size_t most = (size_t)row_length, n = 0, count = sizeof values / sizeof *values;
    for (size_t each = 0; each < count; each++)
        most += values[each].length + 2;
    PyObject *filled = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)most);
    if (!filled)
        return NULL;
    char *start = PyBytes_AsString(filled), *at = start;
    const char *end = row + row_length;
    while (row < end) {
        const char *place = memchr(row, '%', (size_t)(end - row));
        size_t plain = (size_t)((place ? place : end) - row);
        memcpy(at, row, plain);
        at += plain;
        row += plain;
        if (!place)
            break;
        if (end - row >= 2 && row[1] == '%') {
            *at++ = '%';
        } else if (end - row >= 2 && row[1] == 's' && n < count) {
            if (values[n].is_text)
                *at++ = '"';
            memcpy(at, values[n].text, values[n].length);
            at += values[n].length;
            if (values[n].is_text)
                *at++ = '"';
            n++;
        } else {
            Py_DECREF(filled);
            return PyErr_Format(PyExc_ValueError, "not a row's template");
        }
        row += 2;
    }
    if (n != count) {
        Py_DECREF(filled);
        return PyErr_Format(PyExc_ValueError, "not a row's template");
    }
    PyObject *result = PyBytes_FromStringAndSize(start, at - start);
    Py_DECREF(filled);
    return result;
}

/* count_stored(words, acked, bytes, bucket, size): adds 1, `size` and 1 to three words, under the interpreter's lock. */
PyObject *count_stored(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer words;
    Py_ssize_t acked, bytes, bucket;
    unsigned long long size;
    if (!PyArg_ParseTuple(arguments, "w*nnnK", &words, &acked, &bytes, &bucket, &size))
        return NULL;
    Py_ssize_t count = words.len / (Py_ssize_t)sizeof(uint64_t);
    int fits = acked >= 0 && acked < count && bytes >= 0 && bytes < count && bucket >= 0 && bucket < count;
    if (fits) {
        uint64_t *word = words.buf;
        word[acked] += 1;
        word[bytes] += size;
        word[bucket] += 1;
    }
    PyBuffer_Release(&words);
    if (!fits)
        return PyErr_Format(PyExc_IndexError, "no such word");
    Py_RETURN_NONE;
}
