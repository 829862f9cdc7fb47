/* Request targets: whether one can be read in one way only; see postern.h. */
#ifndef POSTERN_PATH_H
#define POSTERN_PATH_H

#include "span.h"

#endif
