/** Vite takes styles along. */
declare module '*.css';
