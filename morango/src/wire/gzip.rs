//! Gzip with a bound: a small body must not grow without end in our memory.

use std::io::Read;

use flate2::Compression;
use flate2::bufread::{GzEncoder, MultiGzDecoder};

use super::WireError;

/// Compresses a body. `level` is 0 (none) to 9 (smallest).
pub fn compress(body: &[u8], level: u32) -> Vec<u8> {
    let mut compressed = Vec::with_capacity(body.len() / 6 + 64);
    GzEncoder::new(body, Compression::new(level.min(9)))
        .read_to_end(&mut compressed)
        .expect("reading from memory does not fail");
    compressed
}

/// Decompresses a body of at most `bytes_max` bytes.
///
/// # Errors
/// [`WireError::TooMuch`] where it is longer, [`WireError::Malformed`] where it is not gzip or is cut off.
pub fn decompress(compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, WireError> {
    let likely = compressed.len().saturating_mul(6).min(bytes_max);
    let mut body = Vec::with_capacity(likely);
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(compressed)
        .take(bound)
        .read_to_end(&mut body)
        .map_err(|problem| WireError::malformed("a gzipped body", &problem))?;
    if body.len() > bytes_max {
        return Err(WireError::TooMuch { what: "bytes of a decompressed body", max: bytes_max });
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_as_it_was() {
        let body = "morango ".repeat(10_000).into_bytes();
        for level in [0, 1, 3, 9, 77] {
            assert_eq!(decompress(&compress(&body, level), body.len()).expect("our own gzip"), body);
        }
    }

    #[test]
    fn a_body_that_grows_past_the_bound_is_refused_before_it_fills_memory() {
        let bomb = compress(&vec![0; 10_000_000], 9);
        assert!(bomb.len() < 20_000);
        assert!(matches!(decompress(&bomb, 1_000), Err(WireError::TooMuch { max: 1_000, .. })));
    }

    #[test]
    fn what_is_no_gzip_or_cut_off_is_refused() {
        let whole = compress(b"some text that is long enough to be cut", 6);
        for bytes in [&b"[]"[..], b"", &whole[..whole.len() - 4]] {
            assert!(matches!(decompress(bytes, 1_000), Err(WireError::Malformed { .. })));
        }
    }
}
