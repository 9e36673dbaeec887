// localStorage that may be forbidden (private windows, policies) without breaking the page.
export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`castiel.${name}`);
    else localStorage.setItem(`castiel.${name}`, value);
  } catch {
    // A preference that cannot be kept is only a preference.
  }
}

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`castiel.${name}`);
  } catch {
    return null;
  }
}
