/**
 * Texts that vocabularies cut in different ways: scripts and languages from all over the world, code, data and noise. Estimates of
 * tokens are measured with them.
 */
const written: Readonly<Record<string, string>> = {
  english:
    'The estimate must not be below the truth for any script, so that a budget is never overspent by requests whose prompts were guessed too low. ',
  'english-news':
    "Parliament's committee heard Wednesday that 1,250 households (roughly 37%) hadn't received their $420.75 rebates; Ms. O'Neill-Brown called it 'unacceptable'. ",
  german:
    'Die Geschwindigkeitsbegrenzung auf Bundesautobahnen wurde vom Verkehrsministerium überprüft; Grundstücksverkehrsgenehmigungszuständigkeitsübertragungsverordnung heißt das Gesetz. ',
  finnish:
    'Lentokonesuihkuturbiinimoottoriapumekaanikkoaliupseerioppilas käveli epäjärjestelmällistyttämättömyydellään kaupungin keskustassa yötä myöten. ',
  turkish:
    'Çekoslovakyalılaştıramadıklarımızdan mısınız diye sordu öğretmen; bugün hava güzel değil ama yarın güneşli olacakmış. ',
  hungarian:
    'Megszentségteleníthetetlenségeskedéseitekért a legkülönfélébb törvényszerűségek szerint felelősségre vonhatók az állampolgárok. ',
  polish:
    'W Szczebrzeszynie chrząszcz brzmi w trzcinie, a Konstantynopolitańczykowianeczka przyglądała się źdźbłom zżętej trawy. ',
  vietnamese:
    'Người Việt Nam rất yêu thích ẩm thực truyền thống, đặc biệt là phở và bánh mì được bán trên khắp các đường phố. ',
  swahili:
    'Watanzania wanaotumia huduma za mtandao wameongezeka kwa kiasi kikubwa tangu serikali ilipoanzisha miradi ya kusambaza umeme vijijini. ',
  zulu: 'Ngiyabonga kakhulu ngokungisiza, ngizokubona kusasa ekuseni lapho sihlangana khona esiteshini samaphoyisa eThekwini. ',
  yoruba: 'Ọjọ́ kìíní oṣù kẹ́wàá ni àyájọ́ òmìnira orílẹ̀-èdè Nàìjíríà láti ọwọ́ àwọn gẹ̀ẹ́sì. ',
  chinese:
    '人工智能模型在本地机器上运行，预算不会被超出。请求之前预留最多可能花费的金额，之后按实际结算。魑魅魍魉龘靐齉爨。',
  japanese:
    '吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。サーバーのレスポンスタイムを改善しました。',
  korean: '대한민국은 민주공화국이다. 모든 권력은 국민으로부터 나온다. 로컬 서버에서 추론을 실행합니다. 뷁쀍쮋',
  russian:
    'Достопримечательности Санкт-Петербурга привлекают миллионы туристов ежегодно; высокопревосходительство удивилось. ',
  greek:
    'Η Αθήνα είναι η πρωτεύουσα της Ελλάδας και μία από τις αρχαιότερες πόλεις του κόσμου, με ιστορία χιλιάδων ετών. ',
  arabic:
    'يولد جميع الناس أحراراً متساوين في الكرامة والحقوق، وقد وهبوا عقلاً وضميراً وعليهم أن يعامل بعضهم بعضاً بروح الإخاء. ',
  hebrew: 'כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון. ',
  hindi:
    'सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है। ',
  bengali: 'সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে। তাঁদের বিবেক এবং বুদ্ধি আছে। ',
  tamil: 'மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும், உரிமைகளிலும் சமமானவர்கள். ',
  telugu: 'ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు. ',
  thai: 'มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม ',
  khmer: 'មនុស្សទាំងអស់ កើតមកមានសេរីភាព និងសមភាព ក្នុងផ្នែកសេចក្ដីថ្លៃថ្នូរនិងសិទ្ធិ។ ',
  burmese: 'လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် လည်းကောင်း၊ တူညီလွတ်လပ်သော အခွင့်အရေးများဖြင့် လည်းကောင်း မွေးဖွားလာသူများ ဖြစ်သည်။',
  tibetan: 'འགྲོ་བ་མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས་ཆེ་མཐོངས་དང༌། ཐོབ་ཐངགི་རང་དབང་འདྲ་མཉམ་དུ་ཡོད་ལ། ',
  amharic: 'የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው። የተፈጥሮ ማስተዋልና ሕሊና ስላለው። ',
  georgian: 'ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით. ',
  armenian: 'Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։ ',
  'mongolian-trad': 'ᠬᠦᠮᠦᠨ ᠪᠦᠷ ᠲᠥᠷᠥᠵᠦ ᠮᠡᠨᠳᠡᠯᠡᠬᠦ ᠡᠷᠬᠡ ᠴᠢᠯᠥᠭᠡ ᠲᠡᠢ ',
  cherokee: 'ᎾᏂᎥ ᎨᏒᎢ ᏴᏫ ᏂᎨᎫᏓᎸᎾ ᎠᎴ ᎤᏂᏠᏱ ᎤᎾᏕᎿ ',
  cuneiform: '𒀭𒂗𒆤𒈗𒆳𒆳𒊏',
  emoji: '😀👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽🧑🏿‍💻🫠',
  math: '∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−L|<ε; ∑ᵢ₌₁ⁿ √xᵢ ≤ ∞ ⊕ ⟨ψ|φ⟩ ≅ ℝ³ ',
  ipa: 'ðə ˈkwɪk ˈbraʊn ˈfɒks ˈdʒʌmps ˈəʊvə ðə ˈleɪzi ˈdɒɡ ',
  box: '┌──────┬──────┐│ a │ b │├──────┼──────┤│▓▓▒▒░░│══╬══│└──────┴──────┘',
  'upper-text':
    'THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG WHILE PARLIAMENTARY COMMITTEES ARE DISCUSSING AMENDMENTS. ',
  minjs:
    '!function(e,t){"object"==typeof exports&&"undefined"!=typeof module?t(exports):t((e=e||self).a={})}(this,function(e){var n=e[0],r=1&n?-1:1;for(i=0;i<~~(n/2);i++)e[i]^=r<<3;});',
  url: 'https://example.com/a/b?c=%20d&e=%C3%A9&utm_source=xYz12&id=9f8e7d\n',
  chess: '1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Ba4 Nf6 5. O-O Be7 6. Re1 b5 7. Bb3 d6 8. c3 O-O ',
  latex:
    '\\frac{\\partial^2 u}{\\partial t^2}=c^2\\nabla^2u,\\quad\\int_{-\\infty}^{\\infty}e^{-x^2}\\,dx=\\sqrt{\\pi} ',
  diacritics: 'z̷̢̛a̸͕l̶g̵o̸ t̴̡e̸x̷t̶',
};

/** Numbers that look random and are the same in each run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function noise(): Record<string, string> {
  const below = randomNumbers(7);
  const of = (alphabet: string, length: number) =>
    Array.from({ length }, () => alphabet[below(alphabet.length)]).join('');
  const lower = 'abcdefghijklmnopqrstuvwxyz';
  const upper = lower.toUpperCase();
  const digits = '0123456789';
  const times = <Item>(count: number, make: (index: number) => Item) =>
    Array.from({ length: count }, (_, i) => make(i));
  return {
    digits: of(digits, 800),
    decimals: times(100, () => `0.${of(digits, 6)}`).join(', '),
    hex: of('0123456789abcdef', 800),
    base64: Buffer.from(times(800, () => below(256))).toString('base64'),
    'random letters': of(lower + upper, 800),
    'random small letters': of(lower, 800),
    'random capitals': of(upper, 800),
    'words without vowels': times(120, () => of('bcdfghjklmnpqrstvwxz', 3 + below(7))).join(' '),
    'random signs of ASCII': times(800, () => String.fromCharCode(33 + below(94))).join(''),
    punctuation: of('!"#$%&\'()*+,-./:;<=>?@[]^_`{|}~', 800),
    'single letters': times(400, () => of(lower + upper, 1)).join(' '),
    'names in code': times(
      60,
      () => `get${times(4, () => ['Http', 'Xml', 'Foo', 'Qux', 'Req', 'Srv'][below(6)]).join('')}`,
    ).join(' '),
    'JSON without blanks': JSON.stringify(
      times(40, (id) => ({ id, x: below(1_000) / 1_000, n: `a${id}`, ok: true, t: null })),
    ),
    'JSON with blanks': JSON.stringify(
      times(20, (id) => ({ id, x: below(1_000) / 1_000, tags: ['a', 'b'] })),
      null,
      2,
    ),
    blanks: ' '.repeat(500),
    'line breaks': '\n'.repeat(300),
    'mixed line breaks': 'a\n\n b\n\t\tc\r\n'.repeat(60),
    'control characters': of('\u0001\u0002\u0007\b\u000b\u000e\u001b', 300),
    DNA: of('ACGT', 800),
    'comma-separated numbers': times(40, () => times(6, () => below(100_000)).join(',')).join('\n'),
    'private use': times(100, () => String.fromCharCode(0xe000 + below(500))).join(''),
  };
}

/** By what they are; each of some hundred characters. */
export const textsOfTheWorld: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(written).map(([name, text]) => [name, text.repeat(4)])),
  ...noise(),
};
