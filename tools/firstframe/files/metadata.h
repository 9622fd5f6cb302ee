// What made a picture, kept inside it: a JSON object as a PNG iTXt chunk with the keyword "firstframe", or in the XMP
// packet of a WebP, as text of the property firstframe:parameters. XMP also carries the prompt as dc:description.
#ifndef FF_METADATA_H
#define FF_METADATA_H

#include "firstframe.h"

#define FF_METADATA_KEYWORD "firstframe"
#define FF_METADATA_NAMESPACE "https://firstframe.dev/ns/1.0/"

// The JSON text embedded in a PNG or WebP. *json is the caller's, to be freed.
// FF_ERROR_INPUT: the file cannot be read, is of another kind or holds no such text.
ff_status ff_metadata_read(const char *path, char **json, ff_error *error);

// The XMP packet that holds json, a JSON object; its "prompt", if there is one, becomes the description.
// *xmp is the caller's, to be freed. FF_ERROR_INPUT: not a JSON object.
ff_status ff_metadata_write_xmp(const char *json, char **xmp, ff_error *error);

// The reverse. *json is NULL if the packet holds no parameters of ours.
ff_status ff_metadata_read_xmp(const void *xmp, size_t size, char **json, ff_error *error);

#endif
