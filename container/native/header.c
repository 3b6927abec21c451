/* The walk over a data set's first elements, where it is plain: receiver/header.py does the same and all else.

   Whatever is not surely as header.py would find it is not judged here: `identify` says 0, and the caller
   gives the bytes to header.py from their start. */
#include "native.h"

#include <string.h>

enum { ITEM_GROUP = 0xFFFE, ITEM = 0xE000, ITEM_END = 0xE00D, SEQUENCE_END = 0xE0DD };
enum { MAX_DEPTH = 64, MAX_ELEMENTS = 4096, PREAMBLE = 132 };
#define UNDEFINED 0xFFFFFFFFu
#define VR(a, b) ((a) << 8 | (b))

enum { SHORT_LENGTH = 1, LONG_LENGTH, SEQUENCE };

/* PS3.5 7.1.2: how long is the length? 0 for what is not in the tables of vr.py. */
static int kind_of(const unsigned char *vr)
{
    switch (VR(vr[0], vr[1])) {
    case VR('A', 'E'): case VR('A', 'S'): case VR('A', 'T'): case VR('C', 'S'): case VR('D', 'A'):
    case VR('D', 'S'): case VR('D', 'T'): case VR('F', 'D'): case VR('F', 'L'): case VR('I', 'S'):
    case VR('L', 'O'): case VR('L', 'T'): case VR('P', 'N'): case VR('S', 'H'): case VR('S', 'L'):
    case VR('S', 'S'): case VR('S', 'T'): case VR('T', 'M'): case VR('U', 'I'): case VR('U', 'L'):
    case VR('U', 'S'):
        return SHORT_LENGTH;
    case VR('S', 'Q'):
        return SEQUENCE;
    case VR('O', 'B'): case VR('O', 'D'): case VR('O', 'F'): case VR('O', 'L'): case VR('O', 'V'):
    case VR('O', 'W'): case VR('S', 'V'): case VR('U', 'C'): case VR('U', 'N'): case VR('U', 'R'):
    case VR('U', 'T'): case VR('U', 'V'):
        return LONG_LENGTH;
    default:
        return 0;
    }
}

Slice uid_text(const unsigned char *value, size_t length)
{
    Slice none = {NULL, 0};
    while (length && (value[length - 1] == 0 || value[length - 1] == ' '))
        length--;
    if (!length || length > MAX_UID)
        return none;
    for (size_t n = 0; n < length; n++)
        if ((value[n] < '0' || value[n] > '9') && value[n] != '.')
            return none;
    return (Slice){value, length};
}

static Slice *wanted(uint16_t group, uint16_t element, Identified *found)
{
    if (group == 0x0008)
        return element == 0x0016 ? &found->sop_class : element == 0x0018 ? &found->sop_instance : NULL;
    if (group == 0x0020)
        return element == 0x000D ? &found->study : element == 0x000E ? &found->series : NULL;
    return NULL;
}

int identify(const unsigned char *data, size_t length, int implicit, Identified *found)
{
    size_t at = 0;
    int depth = 0; /* sequence, item, sequence, item...: odd where an item may come */
    int missing = 4;
    memset(found, 0, sizeof *found);
    if (length < PREAMBLE || memcmp(data + 128, "DICM", 4) == 0)
        return 0;
    /* A VR in implicit VR, or none in explicit VR: another encoding than was agreed on. */
    if (implicit && kind_of(data + 4))
        return 0;
    for (int n = 0; n < MAX_ELEMENTS; n++) {
        if (length - at < 12)
            return 0;
        uint16_t group = little16(data + at), element = little16(data + at + 2);
        uint32_t size = little32(data + at + 4);
        int is_sequence = 0;
        if (group == ITEM_GROUP) {
            at += 8;
            if (element == ITEM && depth % 2) {
                if (size == UNDEFINED)
                    depth++;
                else if (size > length - at)
                    return 0;
                else
                    at += size;
            } else if ((element == ITEM_END && depth && depth % 2 == 0) ||
                       (element == SEQUENCE_END && depth % 2)) {
                depth--;
            } else {
                return 0;
            }
            continue;
        }
        if (depth % 2)
            return 0;
        if (implicit) {
            is_sequence = size == UNDEFINED;
            at += 8;
        } else {
            int kind = kind_of(data + at + 4);
            if (!kind)
                return 0;
            if (kind == SHORT_LENGTH) {
                size = little16(data + at + 6);
                at += 8;
            } else {
                size = little32(data + at + 8);
                is_sequence = size == UNDEFINED;
                if (is_sequence && kind != SEQUENCE)
                    return 0;
                at += 12;
            }
        }
        if (is_sequence) {
            if (depth >= 2 * MAX_DEPTH)
                return 0;
            depth++;
        }
        if (!depth) {
            /* Groups 0 and 2 are errors, beyond the last wanted element the walk may end early. */
            if (group < 0x0008 || group > 0x0020 || (group == 0x0020 && element > 0x000E))
                return 0;
        }
        if (is_sequence)
            continue;
        if (size > length - at)
            return 0;
        Slice *uid = depth ? NULL : wanted(group, element, found);
        if (uid && !uid->text) {
            if (!implicit && VR(data[at - 4], data[at - 3]) != VR('U', 'I'))
                return 0;
            *uid = uid_text(data + at, size);
            if (!uid->text)
                return 0;
            if (!--missing)
                return 1;
        }
        at += size;
    }
    return 0;
}
