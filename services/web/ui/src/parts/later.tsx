import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Waiting } from "./panel";

interface LaterProps {
  load: () => Promise<ComponentType>;
  /// What is loaded, in words.
  what: string;
}

/// A part of the page that is loaded when it is wanted.
export function Later({ load, what }: LaterProps) {
  const [Part, setPart] = useState<ComponentType | null>(null);
  const [hasFailed, setFailed] = useState(false);
  useEffect(() => {
    let isWanted = true;
    setFailed(false);
    load().then(
      // A component is a function, too, and would be called.
      (loaded) => isWanted && setPart(() => loaded),
      () => isWanted && setFailed(true),
    );
    return () => {
      isWanted = false;
    };
  }, [load]);
  if (Part) return <Part />;
  if (!hasFailed) return <Waiting lines={6} />;
  return (
    <div class="trouble" role="alert">
      <p>
        <strong>A part of the page is missing:</strong> {what} could not be loaded.
      </p>
      <p class="muted">The web role may have been renewed or stopped since this page was opened.</p>
      <button type="button" onClick={() => location.reload()}>
        Load the page again
      </button>
    </div>
  );
}
