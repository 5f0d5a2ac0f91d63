import { useSignal } from '@preact/signals';
import { bound, SelectField } from '../../parts/field.tsx';
import { ScreenFrame } from '../../shell/screen-frame.tsx';
import { Budgets } from './budgets.tsx';
import { CloudSwitch } from './cloud-switch.tsx';
import { Days } from './days.tsx';
import { Spent } from './spent.tsx';
import './costs.css';

const spans = [
  { value: '7', text: '7 days' },
  { value: '30', text: '30 days' },
  { value: '90', text: '90 days' },
] as const;

/** What was spent, and what left the house. */
export default function Costs() {
  const span = useSignal<'7' | '30' | '90'>('7');
  return (
    <ScreenFrame
      title="Costs and privacy"
      summary="What was answered here, what left the house, and what that cost. Days are in UTC."
    >
      <CloudSwitch />
      <div class="costs-cards">
        <Spent />
        <Budgets />
      </div>
      <section class="card stack" aria-labelledby="costs-days">
        <header>
          <h2 id="costs-days">By day, key and model</h2>
          <div class="end">
            <SelectField label="Looked back" {...bound(span)} options={spans} />
          </div>
        </header>
        <Days count={Number(span.value)} />
      </section>
    </ScreenFrame>
  );
}
