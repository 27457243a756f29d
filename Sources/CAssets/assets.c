#include "CAssets.h"

// Tests of Domain and Store, and a first `swift build`, need no web assets: the table is then
// empty. When tools/web-assets makes another one it touches this file, because what was not there
// at the last compilation is in no list of dependencies.
#if __has_include("../../.build-web/assets.inc")
// `#embed` is C23's; the compiler has it in every mode.
#pragma clang diagnostic ignored "-Wc23-extensions"
#include "../../.build-web/assets.inc"
#else
#define ASSETS
#endif

// The last row ends the table, so that an empty one is C too.
static const struct asset assets[] = {ASSETS{0}};

size_t asset_count(void) { return sizeof assets / sizeof assets[0] - 1; }

const struct asset *asset_at(size_t index) { return &assets[index]; }
