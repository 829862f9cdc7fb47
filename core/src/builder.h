/* The builder: policies in, a set out. Its interface is in postern.h; this
 * header exists so that the file has its place in the order of includes. */
#ifndef POSTERN_BUILDER_H
#define POSTERN_BUILDER_H

#include "compile.h"

#endif
