/* A file without a name gets its name, durably, by one call. */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0750 };

/* The order is the promise: content, name, folder, the folder's own name. */
int name_durably(int fd, int parent, const char *folder, const char *name)
{
    char source[32];
    if (fsync(fd))
        return -1;
    if (mkdirat(parent, folder, FOLDER_MODE) && errno != EEXIST)
        return -1;
    int directory = openat(parent, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -1;
    snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
    int failed = linkat(AT_FDCWD, source, directory, name, AT_SYMLINK_FOLLOW) || fsync(directory);
    int error = errno;
    close(directory);
    errno = error;
    return failed ? -1 : fsync(parent);
}

PyObject *name_file(PyObject *module, PyObject *arguments)
{
    (void)module;
    int fd, parent, failed, error;
    const char *folder, *name;
    if (!PyArg_ParseTuple(arguments, "iiss", &fd, &parent, &folder, &name))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    failed = name_durably(fd, parent, folder, name);
    error = errno;
    Py_END_ALLOW_THREADS
    if (failed) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}
