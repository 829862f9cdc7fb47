/* postern_cidr, the public matcher over a set of ranges: postern.h has all of it. */
#ifndef POSTERN_MATCHER_H
#define POSTERN_MATCHER_H

#include "cidr.h"

#endif
