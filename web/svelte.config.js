// TypeScript here is types only, which Svelte strips itself: no preprocessor.
export default {
  compilerOptions: { runes: true },
};
