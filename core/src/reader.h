/* The strict JSON reader: text to a document. postern_document_new is in
 * postern.h; this header exists so that the file has its place in the order of
 * includes. */
#ifndef POSTERN_READER_H
#define POSTERN_READER_H

#include "document.h"
#include "error.h"

#endif
