/* The manifest row of an instance, made between its last byte and its response: formatting, no decision. */
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

/* As records.py does it with `%`. */
size_t write_row(const Arrived *instance, Slice key, double received_at, char *row, size_t room)
{
    char size_text[MAX_NUMBER], time_text[MAX_NUMBER], crc_text[CRC_TEXT];
    write_base64(instance->crc, crc_text);
    struct {
        const char *text;
        size_t length;
        int is_text;
    } values[] = {
        {(const char *)key.text, key.length, 1},
        {instance->uid, instance->uid_length, 1},
        {size_text, (size_t)snprintf(size_text, sizeof size_text, "%llu", instance->size), 0},
        {crc_text, CRC_TEXT, 1},
        {time_text, (size_t)snprintf(time_text, sizeof time_text, "%.3f", received_at), 0},
    };
    const char *from = (const char *)instance->row.text, *end = from + instance->row.length;
    char *at = row, *limit = row + room;
    size_t n = 0, count = sizeof values / sizeof *values;
    while (from < end) {
        const char *place = memchr(from, '%', (size_t)(end - from));
        size_t plain = (size_t)((place ? place : end) - from);
        if ((size_t)(limit - at) < plain)
            return 0;
        memcpy(at, from, plain);
        at += plain;
        from += plain;
        if (!place)
            break;
        if (end - from >= 2 && from[1] == '%' && at < limit) {
            *at++ = '%';
        } else if (end - from >= 2 && from[1] == 's' && n < count) {
            if ((size_t)(limit - at) < values[n].length + 2)
                return 0;
            if (values[n].is_text)
                *at++ = '"';
            memcpy(at, values[n].text, values[n].length);
            at += values[n].length;
            if (values[n].is_text)
                *at++ = '"';
            n++;
        } else {
            return 0;
        }
        from += 2;
    }
    return n == count ? (size_t)(at - row) : 0;
}

/* fill_row(template, key, uid, size, crc, received_at) */
PyObject *fill_row(PyObject *module, PyObject *arguments)
{
    (void)module;
    Arrived instance = {0};
    const char *row, *key;
    Py_ssize_t row_length, key_length, uid_length;
    double received_at;
    if (!PyArg_ParseTuple(arguments, "s#s#s#KKd", &row, &row_length, &key, &key_length, &instance.uid, &uid_length,
                          &instance.size, &instance.crc, &received_at))
        return NULL;
    if (!(received_at >= 0 && received_at < 1e15))
        return PyErr_Format(PyExc_ValueError, "not a time");
    instance.uid_length = (size_t)uid_length;
    instance.row = (Slice){(const unsigned char *)row, (size_t)row_length};
    size_t room = (size_t)(row_length + key_length + uid_length) + 2 * MAX_NUMBER + CRC_TEXT;
    PyObject *filled = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)room);
    if (!filled)
        return NULL;
    char *start = PyBytes_AsString(filled);
    size_t length =
        write_row(&instance, (Slice){(const unsigned char *)key, (size_t)key_length}, received_at, start, room);
    PyObject *result = length ? PyBytes_FromStringAndSize(start, (Py_ssize_t)length)
                              : PyErr_Format(PyExc_ValueError, "not a row's template");
    Py_DECREF(filled);
    return result;
}
