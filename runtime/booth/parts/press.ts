import { useEffect, useRef, useState } from 'preact/hooks';

const PRESS_MS = 1000;

/**
 * A press of one second instead of a tap, for what must not happen in a pocket. A key press (a click without a pointer)
 * acts at once.
 */
export function usePress(act: () => void) {
  const [pressing, setPressing] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const end = () => {
    clearTimeout(timer.current);
    setPressing(false);
  };
  useEffect(() => end, []);
  return {
    pressing,
    handlers: {
      onPointerDown: () => {
        setPressing(true);
        timer.current = setTimeout(() => {
          setPressing(false);
          act();
        }, PRESS_MS);
      },
      onPointerUp: end,
      onPointerLeave: end,
      onPointerCancel: end,
      onClick: (event: MouseEvent) => {
        if (event.detail === 0) act();
      },
    },
  };
}
