"""What the lessons practise on: games, cases, and what can be claimed of them.

No module here draws, and none judges an answer: `views` draws them, `tasks` judges."""
