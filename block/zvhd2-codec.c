/* SPDX-License-Identifier: MIT */
/*
 * One block in <-> one record payload out, by zstd or zlib
 *
 * The libraries' states are made once and reset for every block: setting up a
 * zstd context costs more than compressing a small block.  See zvhd2-format.c
 * for why qemu/osdep.h is not here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "zvhd2-codec.h"

#define ZSTD_DEFAULT_LEVEL      3       /* what the reference uses */
#define ZLIB_DEFAULT_LEVEL      1       /* likewise */
#define ZLIB_WINDOW_BITS        15
#define ZLIB_MEM_LEVEL          8

struct Zvhd2Codec {
    Zvhd2Method method;
    int level;
    /* each is made when first used */
    ZSTD_CCtx *cctx;
    ZSTD_DCtx *dctx;
    z_stream deflater;
    z_stream inflater;
    bool have_deflater;
    bool have_inflater;
};

void zvhd2_codec_levels(Zvhd2Method method, int *min, int *max, int *dflt)
{
    switch (method) {
    case ZVHD2_METHOD_ZSTD:
        *min = ZSTD_minCLevel();
        *max = ZSTD_maxCLevel();
        *dflt = ZSTD_DEFAULT_LEVEL;
        break;
    case ZVHD2_METHOD_ZLIB:
        *min = 1;
        *max = 9;
        *dflt = ZLIB_DEFAULT_LEVEL;
        break;
    default:
        *min = *max = *dflt = 0;
        break;
    }
}

Zvhd2Codec *zvhd2_codec_new(Zvhd2Method method, int level)
{
    Zvhd2Codec *codec;
    int min, max, dflt;

    zvhd2_codec_levels(method, &min, &max, &dflt);
    if (dflt == 0) {
        return NULL;
    }
    if (level == 0) {
        level = dflt;
    }
    if (level < min || level > max) {
        return NULL;
    }
    codec = calloc(1, sizeof(*codec));
    if (codec) {
        codec->method = method;
        codec->level = level;
    }
    return codec;
}

void zvhd2_codec_free(Zvhd2Codec *codec)
{
    if (!codec) {
        return;
    }
    ZSTD_freeCCtx(codec->cctx);
    ZSTD_freeDCtx(codec->dctx);
    if (codec->have_deflater) {
        deflateEnd(&codec->deflater);
    }
    if (codec->have_inflater) {
        inflateEnd(&codec->inflater);
    }
    free(codec);
}

size_t zvhd2_codec_bound(Zvhd2Method method, uint32_t block_size)
{
    switch (method) {
    case ZVHD2_METHOD_ZSTD:
        return ZSTD_compressBound(block_size);
    case ZVHD2_METHOD_ZLIB: {
        /*
         * compressBound() is for a finished stream and zlib's own level 6.
         * An eighth more covers any implementation that falls back to fixed
         * codes (nine bits a byte); the rest is for header and sync flush.
         */
        size_t bound = compressBound(block_size);
        size_t fixed = (size_t)block_size + block_size / 8;

        return (bound > fixed ? bound : fixed) + 64;
    }
    default:
        return 0;
    }
}

/* --- zstd --- */

static int64_t zstd_compress(Zvhd2Codec *codec, uint8_t *dst, size_t cap,
                             const uint8_t *src, uint32_t block_size)
{
    size_t n;

    if (!codec->cctx) {
        codec->cctx = ZSTD_createCCtx();
        if (!codec->cctx) {
            return -ENOMEM;
        }
        n = ZSTD_CCtx_setParameter(codec->cctx, ZSTD_c_compressionLevel,
                                   codec->level);
        if (ZSTD_isError(n)) {
            ZSTD_freeCCtx(codec->cctx);
            codec->cctx = NULL;
            return -EIO;
        }
    }
    /* one frame with its content size in the frame header, no checksum */
    n = ZSTD_compress2(codec->cctx, dst, cap, src, block_size);
    return ZSTD_isError(n) ? -EIO : (int64_t)n;
}

static bool zstd_is_frame(const uint8_t *src, size_t size)
{
    /* Neither a skippable frame nor one of the formats before 1.0. */
    return size >= 4 && src[0] == 0x28 && src[1] == 0xb5 && src[2] == 0x2f &&
           src[3] == 0xfd;
}

static int zstd_expand(Zvhd2Codec *codec, uint8_t *dst, uint32_t block_size,
                       const uint8_t *src, size_t size)
{
    unsigned long long content;
    size_t n;

    if (!zstd_is_frame(src, size)) {
        return -EINVAL;
    }
    content = ZSTD_getFrameContentSize(src, size);
    if (content != block_size && content != ZSTD_CONTENTSIZE_UNKNOWN) {
        return -EINVAL;
    }
    /* This also refuses a second frame and bytes after the first. */
    if (ZSTD_findFrameCompressedSize(src, size) != size) {
        return -EINVAL;
    }
    if (!codec->dctx) {
        codec->dctx = ZSTD_createDCtx();
        if (!codec->dctx) {
            return -ENOMEM;
        }
    }
    n = ZSTD_decompressDCtx(codec->dctx, dst, block_size, src, size);
    return n == block_size ? 0 : -EINVAL;
}

/* --- zlib --- */

static int64_t zlib_compress(Zvhd2Codec *codec, uint8_t *dst, size_t cap,
                             const uint8_t *src, uint32_t block_size)
{
    z_stream *z = &codec->deflater;
    int ret;

    if (codec->have_deflater) {
        ret = deflateReset(z);
    } else {
        ret = deflateInit2(z, codec->level, Z_DEFLATED, ZLIB_WINDOW_BITS,
                           ZLIB_MEM_LEVEL, Z_DEFAULT_STRATEGY);
        codec->have_deflater = ret == Z_OK;
    }
    if (ret != Z_OK) {
        return ret == Z_MEM_ERROR ? -ENOMEM : -EIO;
    }

    z->next_in = (Bytef *)src;
    z->avail_in = block_size;
    z->next_out = dst;
    z->avail_out = cap > UINT32_MAX ? UINT32_MAX : (uInt)cap;
    cap = z->avail_out;

    /*
     * The stream is flushed to a byte border and left there, as the
     * reference leaves it; a flush is only complete if room is left over.
     */
    ret = deflate(z, Z_SYNC_FLUSH);
    if (ret != Z_OK || z->avail_in != 0 || z->avail_out == 0) {
        return -EIO;
    }
    return (int64_t)(cap - z->avail_out);
}

/*
 * Good is a stream that gives exactly one block and then ends: finished with
 * a right Adler-32, or between two deflate blocks, which is where a flush
 * leaves it.  In both cases every input byte must be used up.
 */
static bool zlib_at_end(const z_stream *z, int ret)
{
    const int at_block_border = 128;    /* see data_type in zlib.h */

    return z->avail_in == 0 &&
           (ret == Z_STREAM_END ||
            (ret == Z_OK && (z->data_type & at_block_border)));
}

static int zlib_expand(Zvhd2Codec *codec, uint8_t *dst, uint32_t block_size,
                       const uint8_t *src, size_t size)
{
    z_stream *z = &codec->inflater;
    uint8_t spare;
    int ret;

    if (size > UINT32_MAX) {
        return -EINVAL;
    }
    if (codec->have_inflater) {
        ret = inflateReset(z);
    } else {
        ret = inflateInit2(z, ZLIB_WINDOW_BITS);
        codec->have_inflater = ret == Z_OK;
    }
    if (ret != Z_OK) {
        return ret == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
    }

    z->next_in = (Bytef *)src;
    z->avail_in = (uInt)size;
    z->next_out = dst;
    z->avail_out = block_size;
    ret = inflate(z, Z_SYNC_FLUSH);
    if (ret == Z_OK && z->avail_out == 0 && !zlib_at_end(z, ret)) {
        /*
         * zlib itself goes on to the end of the input, but an inflate in
         * hardware may stop when the output is full.  What is left gives no
         * byte, or the stream is too long.
         */
        z->next_out = &spare;
        z->avail_out = 1;
        ret = inflate(z, Z_SYNC_FLUSH);
        if (z->avail_out == 0) {
            return -EINVAL;
        }
        z->avail_out = 0;
    }
    if (ret == Z_MEM_ERROR) {
        return -ENOMEM;
    }
    return z->avail_out == 0 && zlib_at_end(z, ret) ? 0 : -EINVAL;
}

/* --- both --- */

int64_t zvhd2_compress(Zvhd2Codec *codec, uint8_t *dst, size_t cap,
                       const uint8_t *src, uint32_t block_size)
{
    return codec->method == ZVHD2_METHOD_ZSTD
        ? zstd_compress(codec, dst, cap, src, block_size)
        : zlib_compress(codec, dst, cap, src, block_size);
}

int zvhd2_expand(Zvhd2Codec *codec, uint8_t *dst, uint32_t block_size,
                 const uint8_t *src, size_t size)
{
    return codec->method == ZVHD2_METHOD_ZSTD
        ? zstd_expand(codec, dst, block_size, src, size)
        : zlib_expand(codec, dst, block_size, src, size);
}
