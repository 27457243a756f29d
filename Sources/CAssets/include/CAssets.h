// The files that the binary serves to browsers: made by tools/web-assets, embedded at build.
#pragma once

#include <stddef.h>

/// A file in one encoding; no bytes where there is no such encoding of it.
struct asset_content {
    const unsigned char *bytes;
    size_t count;
};

struct asset {
    /// What its source is called, such as `console.css`.
    const char *name;
    /// Where it is served: the name, with a hash of what is in it.
    const char *path;
    const char *type;
    /// Begins the entity tag of each encoding.
    const char *tag;
    struct asset_content identity;
    struct asset_content gzip;
    struct asset_content brotli;
};

/// 0 in a binary that was built before tools/web-assets had run.
size_t asset_count(void);

/// - Parameter index: below `asset_count()`.
const struct asset *asset_at(size_t index);
