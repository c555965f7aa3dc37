/* SPDX-License-Identifier: MIT */
/*
 * One block in <-> one record payload out
 *
 * A codec holds the compressor's state so that it is set up once and not for
 * every block.  It knows buffers, not files.  One codec serves one thread at
 * a time; make one per worker.
 */
#ifndef ZVHD2_CODEC_H
#define ZVHD2_CODEC_H

#include "zvhd2-format.h"

typedef struct Zvhd2Codec Zvhd2Codec;

/* Level range and default of a method (zstd: 3, as the reference; zlib: 1). */
void zvhd2_codec_levels(Zvhd2Method method, int *min, int *max, int *dflt);

/*
 * @level: 0 = the method's default.  State for compressing is made at the
 * first zvhd2_compress(), for expanding at the first zvhd2_expand().
 * Returns NULL on lack of memory or an unknown method or a level out of range.
 */
Zvhd2Codec *zvhd2_codec_new(Zvhd2Method method, int level);
void zvhd2_codec_free(Zvhd2Codec *codec);       /* NULL is fine */

/* Largest payload that compressing @block_size bytes can give. */
size_t zvhd2_codec_bound(Zvhd2Method method, uint32_t block_size);

/*
 * Compresses exactly @block_size bytes at @src into @dst (@cap >= bound).
 * Returns the payload's size, -ENOMEM, or -EIO (compressor failed).
 */
int64_t zvhd2_compress(Zvhd2Codec *codec, uint8_t *dst, size_t cap,
                       const uint8_t *src, uint32_t block_size);

/*
 * Expands a payload; the result must be exactly @block_size bytes (rule 24).
 * zlib: a stream that ends with a sync flush and no final block is good.
 * zstd: exactly one frame.  Never reads or writes outside the buffers, never
 * allocates more than the method's fixed state.
 * Returns 0, -ENOMEM, or -EINVAL for a payload that is not that.
 */
int zvhd2_expand(Zvhd2Codec *codec, uint8_t *dst, uint32_t block_size,
                 const uint8_t *src, size_t size);

#endif /* ZVHD2_CODEC_H */
