import '@fontsource-variable/noto-sans-sc';
import './style/index.css';
import { render } from 'preact';
import { enter, entry, watchTouch } from './access.ts';
import { App } from './app.tsx';
import { moveClock } from './clock.ts';
import { followHistory } from './route.ts';
import { askSetup } from './setup/needed.ts';
import { wearTheme } from './theme.ts';

wearTheme();
followHistory();
watchTouch();
const booth = document.getElementById('booth');
if (booth) render(<App />, booth);

// Before log-in nothing else moves the clock: the theme by the hour and a lock-out's minutes depend on it.
setInterval(() => entry.peek() !== 'in' && moveClock(), 1000);
if (await askSetup()) entry.value = 'out';
else await enter();
