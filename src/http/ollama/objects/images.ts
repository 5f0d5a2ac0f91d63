import type { ImagePart } from '../../../core/content.ts';

/** Whatever kind of image it is, its own first bytes tell. */
export function toImages(images: readonly string[]): ImagePart[] {
  return images.map((base64) => ({ type: 'image', mediaType: null, source: { type: 'bytes', base64 } }));
}
