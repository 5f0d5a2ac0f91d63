import { render } from 'preact';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/bars.css';
import './styles/shell.css';
import { follow } from './api/live.ts';
import { Shell } from './shell/shell.tsx';

follow();
render(<Shell />, document.getElementById('page')!);
