/* The module receiver._native; its stub, receiver/_native.pyi, says what each name does. */
#include "native.h"

static int add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (!type)
        return -1;
    int failed = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return failed;
}

static int execute(PyObject *module)
{
    if (add_type(module, &account_spec) || add_type(module, &recorder_spec) || add_type(module, &series_spec) ||
        add_type(module, &stored_counts_spec) || add_type(module, &windows_spec))
        return -1;
    if (PyModule_AddIntConstant(module, "WINDOW_BYTES", WINDOW_BYTES))
        return -1;
    return PyModule_AddObjectRef(module, "HAS_CRC64NVME", has_crc64nvme() ? Py_True : Py_False);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static PyObject *checksum(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer data;
    unsigned long long before;
    if (!PyArg_ParseTuple(arguments, "y*K", &data, &before))
        return NULL;
    uint64_t crc = crc64nvme(data.buf, (size_t)data.len, before);
    PyBuffer_Release(&data);
    return PyLong_FromUnsignedLongLong(crc);
}

static PyMethodDef functions[] = {
    {"crc64nvme", checksum, METH_VARARGS, NULL},
    {"fill_row", fill_row, METH_VARARGS, NULL},
    {"name_file", name_file, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "receiver._native",
    .m_size = 0,
    .m_slots = slots,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
