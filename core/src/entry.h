/* Decisions by one call with plain arguments; see postern.h. */
#ifndef POSTERN_ENTRY_H
#define POSTERN_ENTRY_H

#include "evaluate.h"

#endif
