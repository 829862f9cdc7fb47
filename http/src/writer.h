/* Writing responses. The public half is in postern_http.h. */
#ifndef POSTERN_WRITER_H
#define POSTERN_WRITER_H

#include "postern_http.h"

enum { POSTERN__DATE_SIZE = 29 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

/* Writes POSTERN__DATE_SIZE bytes, without NUL: the date as RFC 9110, section
 * 5.6.7, has it. `seconds` since 1970, from the years 0 to 9999. */
void postern__writer_date(char *to, int64_t seconds);

#endif
