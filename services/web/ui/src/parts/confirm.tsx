import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface ConfirmProps {
  title: string;
  /// What the button that does it says.
  action: string;
  busy: boolean;
  onYes: () => void;
  onNo: () => void;
  children: ComponentChildren;
}

/// Asks before something that cannot be taken back.
export function Confirm({ title, action, busy, onYes, onNo, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog ref={dialog} aria-label={title} onCancel={onNo}>
      <h2>{title}</h2>
      {children}
      <div class="actions">
        <button type="button" onClick={onNo}>
          Leave it
        </button>
        <button type="button" class="danger" disabled={busy} onClick={onYes}>
          {busy ? "Asking…" : action}
        </button>
      </div>
    </dialog>
  );
}
